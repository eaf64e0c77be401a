"""There and back: the walk, the score of what returns, and the tool on a video of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import av
import numpy as np
import pytest
import torch
from PIL import Image

import vps.modeling  # noqa: F401
from vps.config import load_config
from vps.d2.modeling import build_model
from vps.data import load_dataset, register_davis, register_shapes
from vps.io.index_png import write_index_png

BASE = "configs/Base-PanopticVOS-small.yaml"
SMALL = "CHANNELS [32] FEED_FORWARD [64] SELF_HEADS [4] MATCH_HEADS [1] ENCODER_WIDTH 0.25 WINDOW 3"


@pytest.fixture(scope="module")
def tool(load_script):
    return load_script("projects/region_pretraining/there_and_back.py")


def small_options() -> list[str]:
    """KEY VALUE pairs of a network for tests, trained on data whose class is known."""
    words = SMALL.split()
    pairs = zip(words[::2], words[1::2])
    options = [word for key, value in pairs for word in (f"MODEL.VOS.NETWORK.{key}", value)]
    return [*options, "DATASETS.TRAIN", "('vps_davis2017_train',)"]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> str:
    """A name: DAVIS' test-dev with two videos of four frames, masks in the first frame alone."""
    root = tmp_path_factory.mktemp("data") / "DAVIS"
    for video in ("kites", "sea"):
        for t in range(4):
            path = root / "JPEGImages" / "480p" / video / f"{t:05d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((40, 56, 3), 60 * t, np.uint8)).save(path)
        labels = np.zeros((40, 56), np.uint8)
        labels[4:20, 4:20], labels[24:36, 10:50] = 1, 2
        mask = root / "Annotations" / "480p" / video / "00000.png"
        mask.parent.mkdir(parents=True, exist_ok=True)
        write_index_png(mask, labels)
    lists = root / "ImageSets" / "2017"
    lists.mkdir(parents=True)
    (lists / "test-dev.txt").write_text("kites\nsea\n")
    register_davis(root, name="kites_and_sea")
    return "kites_and_sea_test_dev"


def test_a_walk_turns_round_at_its_end(tool, data):
    (record, _) = load_dataset(data)
    with tool.walk(record, 2) as stream:
        frames = list(stream)
    assert [frame.frame_id for frame in frames] == ["00000", "00001", "00002", "00003", "00004"]
    assert [round(frame.image.mean() / 60) for frame in frames] == [0, 1, 2, 1, 0]


def test_scores_of_what_returns(tool):
    given = np.array([[1, 1, 1, 1], [2, 2, 0, 0], [3, 0, 0, 0]])
    returned = np.array([[1, 1, 2, 0], [2, 2, 0, 9], [0, 1, 0, 0]])
    result = tool.compare(7, given, returned)
    assert result.areas == {1: 4, 2: 2, 3: 1}
    assert result.overlaps == pytest.approx({1: 2 / 5, 2: 2 / 3, 3: 0})
    assert result.kept == pytest.approx(4 / 7)
    copied = tool.compare(7, given, given)
    assert set(copied.overlaps.values()) == {1.0} and copied.kept == 1.0
    assert tool.format_table([result]).splitlines()[-1] == "| 7 | 35.6 | 53.3 | 0.0 | 57.1 |"


@pytest.fixture(scope="module")
def model(repository, tmp_path_factory) -> list[str]:
    """Arguments that name a model with random weights; ``small_options`` go with it."""
    torch.manual_seed(0)
    weights = tmp_path_factory.mktemp("model") / "weights.pth"
    network = build_model(load_config(repository / BASE, small_options()))
    torch.save({"model": network.state_dict()}, weights)
    return ["--config-file", str(repository / BASE), "--weights", str(weights)]


def test_the_tool_scores_and_draws(tool, data, model, tmp_path, capsys):
    options = small_options()
    arguments = [*model, "--data", data, "-o", str(tmp_path / "out")]
    command = [*arguments, "--video", "sea", "--steps", "3", "1", "--", *options]
    assert tool.main(command) == 0
    rows = json.loads((tmp_path / "out" / "there_and_back.json").read_text())
    assert [row["steps"] for row in rows] == [1, 3]
    assert all(row["areas"] == {"1": 256, "2": 480} for row in rows)
    assert capsys.readouterr().out == tool.format_table([tool.Return(**row) for row in rows])
    with av.open(str(tmp_path / "out" / "video.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 4  # the way there
    assert Image.open(tmp_path / "out" / "sheet.png").width > 3 * 640

    for more, message in (
        (["--video", "lake"], "--video: expected one of ['kites', 'sea']"),
        (["--steps", "4"], "expected --steps within 1..3 for video kites of 4 frames, got [4]"),
    ):
        assert tool.main([*arguments, *more, "--", *options]) == 2
        assert message in capsys.readouterr().err


def test_data_with_other_classes_than_the_training(tool, model, repository, tmp_path, capsys):
    sizes = "--height 48 --width 64 --videos 1 --frames 2 --val-videos 1 --val-frames 2 --things 2"
    command = [sys.executable, "datasets/make_shapes.py", "--root", str(tmp_path / "shapes")]
    subprocess.run([*command, *sizes.split()], cwd=repository, check=True, capture_output=True)
    register_shapes(tmp_path / "shapes", name="there_and_back_shapes")
    arguments = [*model, "--data", "there_and_back_shapes_val", "-o", str(tmp_path / "out")]
    assert tool.main([*arguments, "--steps", "1", "--", *small_options()]) == 0
    assert "| 1 |" in capsys.readouterr().out
    assert (tmp_path / "out" / "sheet.png").exists()
