"""Heads against each other as a user would run them, and a head that follows masks on raw video."""

from __future__ import annotations

import json

import av
import numpy as np
import pytest
import torch

import vps.data
import vps.modeling
from vps.config import load_config
from vps.d2.modeling import build_model
from vps.inference import VideoPredictor
from vps.io import read_ground_truth, record_references
from vps.io.results import read_results

VPS_CONFIG = "configs/shapes_vps/vpsnet_track_R_18.yaml"
AOT = """
_BASE_: "{base}"
MODEL:
  VOS:
    VARIANT: AOT-T
    INFERENCE: {{MAX_LONG_SIDE: 97}}
    REFERENCES:
      {{MODE: {mode}, EVERY: 2, MIN_AREA: 4, CONFIG_FILE: "{panoptic}", WEIGHTS: "{weights}"}}
DATASETS:
  TRAIN: ["shapes_vps_train"]
"""


@pytest.fixture(scope="module")
def models(repository, tmp_path_factory):
    """{name: (config, random weights)}: a VPSNet, and a small AOT by who gives its masks."""
    folder = tmp_path_factory.mktemp("models")
    panoptic, base = repository / VPS_CONFIG, repository / "configs" / "Base-PanopticVOS-small.yaml"
    found = {"vpsnet": (panoptic, random_weights(panoptic, folder / "vpsnet.pth"))}
    for mode in ("ground_truth", "panoptic_first", "panoptic_every_k"):
        path = folder / f"{mode}.yaml"
        path.write_text(
            AOT.format(base=base, mode=mode, panoptic=panoptic, weights=found["vpsnet"][1])
        )
        found[mode] = path, folder / "aot.pth"
    random_weights(found["ground_truth"][0], folder / "aot.pth")
    return found


def random_weights(config, path):
    torch.manual_seed(3)
    torch.save({"model": build_model(load_config(config)).state_dict()}, path)
    return path


@pytest.fixture
def tool(repository, load_script, shapes_root, monkeypatch, capsys):
    """Runs a tool in this process; gives what it printed, checks its status."""
    vps.data.register_shapes(shapes_root / "shapes_vps", name="compared_shapes")
    monkeypatch.chdir(repository)

    def run(name, *arguments, status=0):
        module = load_script(f"tools/{name}.py")
        assert module.main([str(argument) for argument in arguments]) == status
        return "".join(capsys.readouterr())

    return run


def test_heads_are_compared(tool, models, tmp_path):
    output = tool(
        *("compare_heads", "--data", "compared_shapes_val", "-o", tmp_path, "--copy"),
        *("--vps", *models["vpsnet"], "--vos", *models["ground_truth"]),
        *("--vps", *models["panoptic_first"], "--videos", "2", "--windows", "1,2", "--show", "1"),
    )
    names = ["vpsnet_track_R_18", "panoptic_first", "ground_truth", "copy"]
    scores = json.loads((tmp_path / "scores.json").read_text())
    heads = {head["name"]: head for head in scores["heads"]}
    assert list(heads) == names and scores["num_frames"] == 2 * 3
    for name in names:
        head = heads[name]
        following_masks = name in ("ground_truth", "copy")
        assert head["given_classes"] == following_masks
        answers = ["own ids"] if following_masks else ["causal", "oracle"]
        assert list(head["objects"]) == answers
        assert {"VPQ", "STQ"} <= head["panoptic"]["all frames"].keys()
        assert sum(row["frames"] for row in head["cost"].values()) == 6
        for row in head["cost"].values():
            assert (row["backbone_ms"] > 0) == (name != "copy")
            assert row["backbone_ms"] <= row["ms_per_frame"]
        results = read_results(tmp_path / name).videos
        assert [len(video) for video in results.values()] == [3, 3]
    # What is given is right in the frame that gives it, whatever a head has learned.
    for name in ("ground_truth", "copy"):
        by_rule = heads[name]["objects"]["own ids"]
        assert by_rule["reference frames too"]["J&F"] > by_rule["official"]["J&F"]
    assert heads["vpsnet_track_R_18"]["trained_on"] == ["shapes_vps_train"]
    assert (tmp_path / "scores.txt").read_text().strip() in output
    with av.open(str(tmp_path / "side_by_side.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 3 and frames[0].shape[1] > 6 * 480
    assert (tmp_path / "curves.png").stat().st_size > 0


def test_who_follows_masks_has_their_classes(tool, models, tmp_path):
    """Whatever it was trained on, here data of a single class."""
    tool(
        *("compare_heads", "--data", "compared_shapes_val", "-o", tmp_path, "--videos", "1"),
        *("--vos", *models["ground_truth"], "--windows", "1,2", "--show", "1"),
        *("DATASETS.TRAIN", "('vps_davis2017_train',)"),
    )
    (head,) = json.loads((tmp_path / "scores.json").read_text())["heads"]
    assert {"VPQ", "STQ"} <= head["panoptic"]["all frames"].keys()
    results = read_results(tmp_path / "ground_truth")
    assert results.categories == vps.data.dataset_categories("compared_shapes_val")
    assert (tmp_path / "side_by_side.mp4").stat().st_size > 0


@pytest.mark.parametrize("mode", ["panoptic_first", "panoptic_every_k"])
def test_raw_video_becomes_panoptic(tool, shapes_root, models, tmp_path, mode):
    config, aot = models[mode]
    folder = shapes_root / "shapes_vps" / "val" / "images" / "0000"
    tool(
        *("demo", folder, "-o", tmp_path / "out.mp4", "--save-results", tmp_path / "json"),
        *("--config-file", config, "MODEL.WEIGHTS", aot),
    )
    (video,) = read_results(tmp_path / "json").videos.values()
    frames = list(video)
    assert len(frames) == 3 and frames[0].ids.any()
    kinds = {}
    for frame in frames:  # an id never changes its class
        for segment_id, segment in frame.segments.items():
            assert kinds.setdefault(segment_id, segment.category) == segment.category
    if mode == "panoptic_first":  # nothing is born later
        known = set(np.unique(frames[0].ids).tolist())
        assert all(set(np.unique(frame.ids).tolist()) <= known | {0} for frame in frames)


def test_masks_from_the_caller(shapes_root, models):
    vps.data.register_shapes(shapes_root / "shapes_vps", name="compared_shapes")
    record = vps.data.load_dataset("compared_shapes_val")[0]
    predictor = VideoPredictor(*models["ground_truth"])
    frames = list(predictor(record, references=record_references(record)))
    assert [frame.frame_id for frame in frames] == record["image_ids"]
    np.testing.assert_array_equal(frames[0].ids, read_ground_truth(record, 0).ids)
    assert set(frames[0].segments) == {info["id"] for info in record["segments_infos"][0]}


def test_raw_video_without_masks(tool, shapes_root, models, tmp_path):
    config, aot = models["ground_truth"]
    folder = shapes_root / "shapes_vps" / "val" / "images" / "0000"
    output = tool(
        *("demo", folder, "-o", tmp_path / "out.mp4"),
        *("--config-file", config, "MODEL.WEIGHTS", aot),
        status=2,
    )
    assert "error: expected masks to follow, got none" in output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "expected heads to compare, got none"),
        (("--copy", "--windows", "a"), "expected --windows as numbers"),
        (("--vps", VPS_CONFIG, "nowhere.pth"), "nowhere.pth"),
    ],
)
def test_bad_options(tool, tmp_path, options, message):
    output = tool(
        *("compare_heads", "--data", "compared_shapes_val", "-o", tmp_path, *options), status=2
    )
    assert "error: " in output and message in output


def test_heads_that_have_seen_the_videos(repository, load_script):
    module = load_script("tools/compare_heads.py")
    config = str(repository / VPS_CONFIG)
    arguments = ["-o", "nowhere", "--vps", config, "a/one.pth", "--vps", config, "b/one.pth"]
    for data, found in (("shapes_vps_train", 2), ("shapes_vps_val", 0)):
        args = module.build_parser().parse_args(["--data", data, *arguments])
        kinds = [("vps", *pair) for pair in args.vps]
        warnings = module.find_leakage(kinds, args)
        assert len(warnings) == found
        for warning, folder in zip(warnings, "ab"):
            assert warning.startswith(f"vpsnet_track_R_18-{folder}-one: shapes_vps_train shares")
