"""The Python API, with a model that segments by colour."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from color_model import CATEGORIES, GROUND_ID, TRACK_IDS, ColorModel, draw_frame

from vps import VideoPredictor
from vps.inference.predictor import without_gradients
from vps.io.streams import open_stream
from vps.structures import InputError, PanopticFrame


def test_five_lines_from_a_folder_to_panoptic_frames(color_files, color_folder):
    predictor = VideoPredictor(*color_files)
    results = list(predictor(color_folder))
    assert [result.frame_id for result in results] == [f"{i:03d}" for i in range(12)]
    for index, result in enumerate(results):
        assert isinstance(result, PanopticFrame) and result.ids.shape == (48, 64)
        red = draw_frame(index)[..., 0] == 230
        np.testing.assert_array_equal(np.isin(result.ids, TRACK_IDS), red)
        names = {i: predictor.categories[s.category].name for i, s in result.segments.items()}
        assert names[GROUND_ID] == "ground" and set(names.values()) == {"ground", "red"}
    assert predictor.categories == CATEGORIES
    assert not predictor.model.training and predictor.device == torch.device("cpu")
    with pytest.raises(AttributeError):  # frozen
        predictor.cfg.MODEL.WEIGHTS = ""


def test_weights_may_come_from_the_config(color_files, color_folder):
    config, weights = color_files
    predictor = VideoPredictor(config, opts=["MODEL.WEIGHTS", str(weights)])
    assert len(list(predictor(color_folder))) == 12


def test_the_weights_are_those_of_the_file(color_files, color_folder):
    config, weights = color_files
    torch.save({"model": {"threshold": torch.tensor([250.0])}}, weights)
    for result in VideoPredictor(config, weights)(color_folder):
        assert set(result.segments) == {GROUND_ID}  # nothing is that red


@pytest.mark.parametrize("look_ahead", [0, 1, 5, 100])
def test_frames_stand_beside_their_results(color_files, color_folder, monkeypatch, look_ahead):
    monkeypatch.setattr(ColorModel, "look_ahead", look_ahead)
    pairs = list(VideoPredictor(*color_files).with_images(color_folder))
    assert len(pairs) == 12
    for index, (frame, result) in enumerate(pairs):
        assert frame.frame_id == result.frame_id
        np.testing.assert_array_equal(frame.image, draw_frame(index))


def test_a_model_that_skips_frames_is_found_out(color_files, color_folder, monkeypatch):
    segment = ColorModel.segment_video
    monkeypatch.setattr(
        ColorModel, "segment_video", lambda self, frames, **_: segment(self, list(frames)[1:])
    )
    with pytest.raises(RuntimeError, match=r"frame 000 of walk, got that of frame 001"):
        list(VideoPredictor(*color_files).with_images(color_folder))


def test_one_predictor_serves_two_videos_at_once(color_files, color_folder, color_video):
    predictor = VideoPredictor(*color_files)
    alone = [result.ids for result in predictor(color_folder)]
    together = zip(predictor(color_folder), predictor(color_video))
    for expected, (result, _) in zip(alone, together):
        np.testing.assert_array_equal(result.ids, expected)


def test_a_bad_source_is_refused_at_the_call_and_not_later(color_files, tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        VideoPredictor(*color_files)(tmp_path / "none.mp4")


def test_leaving_early_ends_the_reading(color_files, color_video):
    results = VideoPredictor(*color_files)(open_stream(color_video))
    next(results)
    assert [t for t in threading.enumerate() if t.name == "vps-prefetch"]
    del results
    assert not [t for t in threading.enumerate() if t.name == "vps-prefetch"]


def test_gradients_are_off_in_the_model_and_untouched_in_the_loop_over_it():
    weight = torch.ones(1, requires_grad=True)
    modes = []

    def items():
        for _ in range(2):
            modes.append(torch.is_inference_mode_enabled())
            yield weight * 2

    for item in without_gradients(items()):
        assert not torch.is_inference_mode_enabled() and torch.is_grad_enabled()
        assert not item.requires_grad
    assert modes == [True, True]


# config text that replaces the good one, options, what the error says
BAD_MODELS = [
    (
        "MODEL: {META_ARCHITECTURE: Nonesuch}\nDATASETS: {TRAIN: [color_world_train]}",
        [],
        "Nonesuch",
    ),
    (
        "MODEL: {META_ARCHITECTURE: ColorModel}\nDATASETS: {TRAIN: [no_such_data]}",
        [],
        "no_such_data",
    ),
    ("MODEL: {META_ARCHITECTURE: ColorModel}", [], "DATASETS.TRAIN"),
    ("MODEL: {META_ARCHITECTUR: ColorModel}", [], "META_ARCHITECTUR"),
    (None, ["MODEL.NO_SUCH_KEY", "1"], "NO_SUCH_KEY"),
    (None, ["MODEL.WEIGHTS", "none.pth"], "none.pth"),
    (None, [], "MODEL.WEIGHTS"),
]


@pytest.mark.parametrize("text, opts, message", BAD_MODELS, ids=[row[2] for row in BAD_MODELS])
def test_bad_configs_and_weights_are_named(color_files, text, opts, message):
    config, _ = color_files
    if text is not None:
        config.write_text(text + "\n")
    with pytest.raises(InputError, match=message):
        VideoPredictor(config, opts=opts)


def test_weights_of_another_architecture_are_refused(color_files):
    config, weights = color_files
    torch.save({"model": {"backbone.weight": torch.zeros(3)}}, weights)
    with pytest.raises(
        InputError, match=r"ColorModel .*1 missing \(threshold\); 1 unexpected \(backbone"
    ):
        VideoPredictor(config, weights)


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_a_gpu_that_is_not_there(color_files):
    with pytest.raises(InputError, match="no CUDA GPU"):
        VideoPredictor(*color_files, device="cuda")
    predictor = VideoPredictor(*color_files, opts=["MODEL.DEVICE", "cuda"])  # of whoever trained
    assert predictor.device.type == "cpu"
