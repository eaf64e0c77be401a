"""Registration: lazy, repeatable, and clear about what is wrong."""

from __future__ import annotations

import pytest

from vps.d2.data import DatasetCatalog, MetadataCatalog
from vps.data import dataset_categories, load_dataset, register_panoptic_video
from vps.data.datasets import register_shapes
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
