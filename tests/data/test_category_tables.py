"""The class tables: how many there are of each kind, and every number leads back to its class."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import vps.data  # noqa: F401  (registers the data sets)
from vps.d2.data import DatasetCatalog, MetadataCatalog
from vps.data.catalog import EVALUATOR_TYPES
from vps.data.datasets.cityscapes_categories import CITYSCAPES_CATEGORIES, CITYSCAPES_RAW_IDS
from vps.data.datasets.viper_categories import VIPER_CATEGORIES, VIPER_RAW_IDS
from vps.data.datasets.vipseg_categories import VIPSEG_CATEGORIES, VIPSEG_RAW_IDS
from vps.metrics import VIPOSegSubsets

# categories, raw ids, things, stuff, how many raw numbers there are, raw numbers that are void
TABLES = [
    (CITYSCAPES_CATEGORIES, CITYSCAPES_RAW_IDS, 8, 11, 34, None),
    (VIPER_CATEGORIES, VIPER_RAW_IDS, 10, 13, 32, {0, 1, 5, 21, 22, 28, 29, 30, 31}),
    (VIPSEG_CATEGORIES, VIPSEG_RAW_IDS, 58, 66, 125, {0}),
]
NAMES = ["cityscapes", "viper", "vipseg"]

# name of a registered data set, classes, evaluator, whether 0 is background
REGISTERED = [
    *((f"vps_cityscapes_{s}", 19, "video_panoptic_seg", False) for s in ("train", "val", "test")),
    *((f"vps_viper_{s}", 23, "video_panoptic_seg", False) for s in ("train", "val")),
    *((f"vps_vipseg_{s}", 124, "video_panoptic_seg", False) for s in ("train", "val", "test")),
    *((f"vps_viposeg_{s}", 124, "viposeg", True) for s in ("train", "val")),
    *((f"vps_davis2016_{s}", 1, "davis", True) for s in ("train", "val")),
    *((f"vps_davis2017_{s}", 1, "davis", True) for s in ("train", "val", "test_dev")),
    *((f"vps_ytvos_{s}", 1, "youtube_vos", True) for s in ("train", "val")),
    ("vps_vosw_val", 1, "youtube_vos", True),
]


@pytest.mark.parametrize(
    ("categories", "raw_ids", "things", "stuff", "raw_count", "raw_void"), TABLES, ids=NAMES
)
def test_every_number_leads_back_to_its_class(
    categories, raw_ids, things, stuff, raw_count, raw_void
):
    assert sum(category.isthing for category in categories) == things
    assert sum(not category.isthing for category in categories) == stuff
    of_dataset = {category.dataset_id: index for index, category in enumerate(categories)}
    of_raw = {raw_id: index for index, raw_id in enumerate(raw_ids)}
    of_name = {category.name: index for index, category in enumerate(categories)}
    assert len(of_dataset) == len(of_raw) == len(of_name) == len(raw_ids) == len(categories)
    for index, category in enumerate(categories):
        assert of_raw[raw_ids[of_dataset[category.dataset_id]]] == index
        assert all(0 <= channel <= 255 for channel in category.color)
    assert set(raw_ids) <= set(range(raw_count))
    if raw_void is not None:
        assert set(range(raw_count)) - set(raw_ids) == raw_void


@pytest.mark.parametrize(("name", "count", "evaluator", "background"), REGISTERED)
def test_registered_data_sets(name: str, count: int, evaluator: str, background: bool):
    assert name in DatasetCatalog.list()
    metadata = MetadataCatalog.get(name)
    assert len(metadata.categories) == len(metadata.thing_classes) == count
    ids = {
        **metadata.thing_dataset_id_to_contiguous_id,
        **metadata.stuff_dataset_id_to_contiguous_id,
    }
    assert sorted(ids.values()) == list(range(count))
    for dataset_id, index in ids.items():
        assert metadata.categories[index].dataset_id == dataset_id
        is_thing = dataset_id in metadata.thing_dataset_id_to_contiguous_id
        assert metadata.categories[index].isthing == is_thing
    assert metadata.evaluator_type == evaluator
    assert evaluator in EVALUATOR_TYPES
    assert metadata.zero_is_background == background
    assert metadata.source_split


def test_things_come_after_stuff_in_the_driving_data_sets():
    for categories in (CITYSCAPES_CATEGORIES, VIPER_CATEGORIES):
        kinds = [category.isthing for category in categories]
        assert kinds == sorted(kinds)
        assert [category.dataset_id for category in categories] == list(range(len(kinds)))


def test_viper_numbers_are_those_of_its_own_table():
    """Spot checks: VIPER's own order is another one, and so is that of its training numbers."""
    raw = dict(zip((category.name for category in VIPER_CATEGORIES), VIPER_RAW_IDS))
    assert (raw["sky"], raw["road"], raw["trafficlight"], raw["trafficsign"]) == (2, 3, 13, 14)
    assert (raw["trash"], raw["trashcan"], raw["person"], raw["truck"]) == (18, 19, 20, 27)


def test_the_mistyped_number_of_cityscapes_is_right_here():
    raw = dict(zip((category.name for category in CITYSCAPES_CATEGORIES), CITYSCAPES_RAW_IDS))
    assert (raw["traffic light"], raw["traffic sign"], raw["vegetation"]) == (19, 20, 21)
    assert (raw["bus"], raw["train"]) == (28, 31)  # 29 and 30, caravan and trailer, are no classes


def test_viposeg_subsets_cover_all_classes():
    metadata = MetadataCatalog.get("vps_viposeg_val")
    subsets: VIPOSegSubsets = metadata.viposeg_subsets
    counts = {name: len(classes) for name, classes in subsets.classes.items()}
    assert counts == {
        "thing_seen": 41, "thing_unseen": 17, "stuff_seen": 49, "stuff_unseen": 17,
    }  # fmt: skip
    for index, category in enumerate(metadata.categories):
        kind = subsets.subset_of("some video", category.dataset_id)
        assert kind.split("_")[0] == ("thing" if metadata.categories[index].isthing else "stuff")
    # Class 98 is in the stuff of either kind, by its video: the 18th of the unseen.
    assert metadata.categories[98].name == "other_machine"
    assert len(subsets.unseen_videos) == 23
    assert subsets.subset_of("187_WUZUSD4477I", 98) == "stuff_unseen"
    assert subsets.subset_of("188_", 98) == "stuff_seen"


def test_vipseg_table_is_the_published_one(shared_dir: Path):
    rows = json.loads((shared_dir / "facts" / "vipseg_categories.json").read_text())
    ours = [(c.dataset_id, c.name, c.isthing, list(c.color)) for c in VIPSEG_CATEGORIES]
    assert ours == [(r["id"], r["name"], bool(r["isthing"]), r["color"]) for r in rows]


def test_importing_registers_without_looking_at_the_data(tmp_path: Path):
    """An audit hook sees every file and folder that is opened or listed. What it finds in a folder
    that is asked for is reported, so that the hook is known to work.
    """
    code = (
        "import os, sys\n"
        "seen = []\n"
        "def hook(event, arguments):\n"
        "    if event in ('open', 'os.listdir', 'os.scandir') and arguments:\n"
        "        if str(arguments[0]).startswith(os.environ['DETECTRON2_DATASETS']):\n"
        "            seen.append(arguments[0])\n"
        "sys.addaudithook(hook)\n"
        "import vps.data\n"
        "print(len(seen))\n"
        "os.listdir(os.environ['DETECTRON2_DATASETS'])\n"
        "print(len(seen))\n"
    )
    environment = {**os.environ, "DETECTRON2_DATASETS": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["0", "1"]
