"""Registration: lazy, repeatable, and clear about what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vps.d2.data import DatasetCatalog, MetadataCatalog
from vps.data import dataset_categories, load_dataset, register_panoptic_video
from vps.data.datasets import DAVIS2016_CATEGORIES, register_davis2016, register_shapes
from vps.data.datasets.davis2016 import write_davis2016_split
from vps.io import read_ground_truth
from vps.structures import Category, InputError

CATEGORIES = [
    Category("road", False, (1, 2, 3), 7),
    Category("car", True, (4, 5, 6), 3),
    Category("sky", False, (7, 8, 9), 0),
]


def register(name: str, **changes) -> None:
    arguments = {
        "image_root": "nowhere/images",
        "panoptic_root": "nowhere/panoptic",
        "panoptic_json": "nowhere/panoptic.json",
        "categories": CATEGORIES,
    }
    register_panoptic_video(name, **{**arguments, **changes})


def test_registration_touches_no_disk_and_may_be_repeated():
    register("catalog_a")
    register("catalog_a")
    with pytest.raises(InputError, match=r"nowhere.panoptic\.json does not exist"):
        load_dataset("catalog_a")


def test_metadata():
    register("catalog_b")
    metadata = MetadataCatalog.get("catalog_b")
    assert metadata.categories == CATEGORIES == dataset_categories("catalog_b")
    # A contiguous id, of a thing or of stuff, indexes both lists: Detectron2's drawing needs that.
    assert metadata.thing_classes == metadata.stuff_classes == ["road", "car", "sky"]
    assert metadata.thing_colors[1] == (4, 5, 6)
    assert metadata.thing_dataset_id_to_contiguous_id == {3: 1}
    assert metadata.stuff_dataset_id_to_contiguous_id == {7: 0, 0: 2}
    assert (metadata.ignore_label, metadata.label_divisor) == (255, 1000)
    assert metadata.evaluator_type == "video_panoptic_seg"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_root": "elsewhere"}, "already registered with another image_root"),
        ({"categories": CATEGORIES[:2]}, "already registered with another categories"),
        ({"categories": [*CATEGORIES, CATEGORIES[0]]}, "a dataset_id of their own"),
        ({"categories": [Category("a", True, (0, 0, 0), i) for i in (1, 2)]}, "a name of their"),
        ({"categories": []}, "got \\[\\]"),
    ],
)
def test_bad_registration(changes: dict, message: str):
    register("catalog_c")
    with pytest.raises(InputError, match=message):
        register("catalog_c", **changes)


def test_unknown_names():
    with pytest.raises(InputError, match="there are shapes_vps_train, shapes_vps_val"):
        load_dataset("shapes_vsp_train")
    with pytest.raises(InputError, match="not a registered panoptic video data set"):
        dataset_categories("shapes_vsp_train")


@pytest.mark.parametrize(("root", "expected"), [("some/where", "some/where"), (None, "datasets")])
def test_data_sets_lie_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, root: str | None, expected: str
):
    monkeypatch.delenv("DETECTRON2_DATASETS", raising=False)
    if root is not None:
        monkeypatch.setenv("DETECTRON2_DATASETS", root)
    name = f"shapes_under_{expected}"
    register_shapes(name=name)
    metadata = MetadataCatalog.get(f"{name}_train")
    assert metadata.panoptic_json == f"{expected}/{name}/train/panoptic.json"
    assert metadata.image_root == f"{expected}/{name}/train/images"


def test_builtin_data_sets_are_registered():
    names = {
        f"{name}_{split}" for name in ("shapes_vps", "davis2016_vps") for split in ("train", "val")
    }
    assert names <= set(DatasetCatalog.list())


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
    assert list(write_davis2016_split(davis, tmp_path / "out" / "val", slice(-3, None))) == [
        "ant",
        "bee",
    ]
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
def test_bad_davis_leaves_nothing(davis: Path, tmp_path: Path, damage, message: str):
    damage(davis)
    with pytest.raises(InputError, match=message):
        list(write_davis2016_split(davis, tmp_path / "out", slice(None)))
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


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
