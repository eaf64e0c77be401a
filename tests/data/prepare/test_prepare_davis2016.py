"""DAVIS 2016 becomes a panoptic data set of two classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vps.d2.data import DatasetCatalog
from vps.data import load_dataset
from vps.data.datasets import DAVIS2016_CATEGORIES, register_davis2016
from vps.data.prepare import run_preparation
from vps.data.prepare.davis2016_vps import davis2016_vps_preparation
from vps.io import read_ground_truth
from vps.structures import InputError


@pytest.fixture
def davis(tmp_path: Path) -> Path:
    """Two sequences of four frames 8x10 in the layout of DAVIS 2016."""
    for sequence in ("ant", "bee"):
        images = tmp_path / "davis" / "JPEGImages" / "480p" / sequence
        masks = tmp_path / "davis" / "Annotations" / "480p" / sequence
        images.mkdir(parents=True)
        masks.mkdir(parents=True)
        for t in range(4):
            Image.new("RGB", (10, 8), (30 * t, 0, 0)).save(images / f"{t:05d}.jpg")
            mask = np.zeros((8, 10), dtype=np.uint8)
            mask[2:4, t : t + 2] = 255
            Image.fromarray(mask).save(masks / f"{t:05d}.png")
    return tmp_path / "davis"


def test_davis_becomes_two_classes(davis: Path, tmp_path: Path):
    run_preparation(davis2016_vps_preparation(davis, tmp_path / "out" / "val", slice(-3, None)))
    register_davis2016(tmp_path / "out", name="davis_test")
    assert {"davis_test_train", "davis_test_val"} <= set(DatasetCatalog.list())
    records = load_dataset("davis_test_val")
    assert [record["video_id"] for record in records] == ["ant", "bee"]
    assert records[0]["image_ids"] == ["00001", "00002", "00003"]
    truth = read_ground_truth(records[1], 0)
    names = {key: DAVIS2016_CATEGORIES[s.category].name for key, s in truth.segments.items()}
    assert names == {1: "background", 2: "object"}
    assert (truth.ids == 2).sum() == truth.segments[2].area == 4
    source = davis / "JPEGImages" / "480p" / "ant" / "00001.jpg"
    assert Path(records[0]["file_names"][0]).read_bytes() == source.read_bytes()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda d: (d / "Annotations/480p/bee/00002.png").unlink(), "bee/00002.png does not exist"),
        (
            lambda d: Image.new("L", (9, 8)).save(d / "Annotations/480p/bee/00002.png"),
            "expected labels of 8x10",
        ),
        (
            lambda d: Image.new("RGB", (10, 8)).save(d / "Annotations/480p/bee/00002.png"),
            "one channel",
        ),
        (lambda d: (d / "JPEGImages/480p/cat").mkdir(), "has no .jpg"),
        (lambda d: (d / "JPEGImages").rename(d / "images"), "there is no folder"),
    ],
)
def test_bad_davis_leaves_nothing_of_the_video(davis: Path, tmp_path: Path, damage, message: str):
    damage(davis)
    with pytest.raises(InputError, match=message):
        run_preparation(davis2016_vps_preparation(davis, tmp_path / "out", slice(None)))
    assert not list(tmp_path.glob("out/panoptic.json"))
    assert not list(tmp_path.glob("out/*/bee"))  # nor anything of it under another name
    assert not list(tmp_path.glob("out/*/.bee*"))


def test_real_davis(load_script, shared_dir: Path, tmp_path: Path):
    main = load_script("datasets/prepare_davis2016_vps.py").main
    options = [
        "--source",
        str(shared_dir / "data" / "davis2016"),
        "--root",
        str(tmp_path / "davis"),
    ]
    assert main([*options, "--train-frames", "2", "--val-frames", "1"]) == 0
    register_davis2016(tmp_path / "davis", name="real_davis")
    train, val = load_dataset("real_davis_train"), load_dataset("real_davis_val")
    assert len(train) == len(val) == 8
    assert {record["length"] for record in train} == {2}
    assert {record["length"] for record in val} == {1}
    for record in val:
        truth = read_ground_truth(record, 0)
        assert truth.segments.keys() == {1, 2}
        assert 0.001 < (truth.ids == 2).mean() < 0.6
