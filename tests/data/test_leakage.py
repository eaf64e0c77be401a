"""Which data sets share videos, and that evaluation says so."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from vps.d2.data import DatasetCatalog, MetadataCatalog
from vps.data import register_vipseg, shared_videos, warn_of_leakage
from vps.data.leakage import OVERLAPS, overlap_of, source_split

# trained on, scored on, a word of the reason; None: nothing is known to be shared
PAIRS = [
    ("vps_vipseg_train", "vps_viposeg_val", "23 videos"),
    ("vps_viposeg_train", "vps_vipseg_val", "divides"),
    ("vps_vipseg_val", "vps_viposeg_val", "divides"),
    ("vps_vipseg_train", "vps_viposeg_train", "divides"),
    ("vps_vipseg_train", "vps_vipseg_val", None),
    ("vps_viposeg_train", "vps_viposeg_val", None),
    ("vps_vipseg_test", "vps_viposeg_val", None),
    ("vps_vipseg_train", "vps_vosw_val", "from VIPSeg"),
    ("vps_viposeg_train", "vps_vosw_val", "from VIPSeg"),
    ("vps_davis2016_val", "vps_davis2017_val", "in its val"),
    ("vps_davis2016_train", "vps_davis2017_train", "in its train"),
    ("vps_davis2017_train", "vps_davis2016_val", None),
    ("vps_davis2017_train", "vps_davis2017_test_dev", None),
    ("davis2016_vps_train", "vps_davis2016_val", "every sequence"),
    ("davis2016_vps_train", "davis2016_vps_val", None),
    ("vps_ytvos_train", "vps_ytvos_val", None),
    ("vps_ytvos_train", "vps_vosw_val", None),
    ("cityscapes_fine_panoptic_val", "vps_cityscapes_val", "Cityscapes' val"),
    ("cityscapes_fine_panoptic_train", "vps_cityscapes_val", None),
    ("vps_viper_train", "vps_viper_val", None),
    ("vps_viper_val", "vps_viper_val", "the same data"),
    ("shapes_vps_train", "shapes_vps_val", None),
]


@pytest.mark.parametrize(("trained", "scored", "reason"), PAIRS)
def test_pairs(trained: str, scored: str, reason: str | None, caplog: pytest.LogCaptureFixture):
    for one, other in ((trained, scored), (scored, trained)):  # sharing goes both ways
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="vps.data.leakage"):
            warning = warn_of_leakage((one,), (other,))
        if reason is None:
            assert warning is None
            assert not caplog.records
        else:
            assert reason in warning
            assert f"{other} shares videos with {one}" in warning
            assert [record.getMessage() for record in caplog.records] == [warning]


def test_every_entry_is_about_splits_that_exist():
    """A misspelt pattern would warn of nothing, for ever."""
    from fnmatch import fnmatchcase

    known = {source_split(name) for name in DatasetCatalog.list()}
    known |= {"ytvos2018_train", "ytvos2018_val", "cityscapes_fine_panoptic_val"}
    known |= {"davis2016_vps_train"}
    for overlap in OVERLAPS:
        for pattern in (overlap.one, overlap.other):
            assert any(fnmatchcase(split, pattern) for split in known), pattern


def test_all_pairs_of_several_data_sets_are_named():
    warning = warn_of_leakage(
        ("shapes_vps_train", "vps_vipseg_train"), ("vps_viposeg_val", "vps_vosw_val")
    )
    assert warning.count("shares videos with vps_vipseg_train") == 2
    assert "shapes" not in warning
    assert warn_of_leakage("", "vps_viposeg_val") is None
    assert "viposeg_val" in warn_of_leakage(("vps_vipseg_train",), "vps_viposeg_val")


def test_another_name_or_root_does_not_hide_it(tmp_path: Path, name: str):
    register_vipseg(tmp_path, name=name)
    assert "23 videos" in overlap_of("tree_train", "vps_viposeg_val")


def test_asking_for_an_unknown_name_leaves_no_trace():
    assert source_split("never_registered") == "never_registered"
    assert "never_registered" not in MetadataCatalog.list()


def test_videos_in_common():
    trained = [{"video_id": video} for video in "abc"]
    scored = [{"video_id": video} for video in "cxa"]
    shared = shared_videos(trained, scored)
    assert shared == ["c", "a"]
    arguments = ("vps_vipseg_train",), "vps_viposeg_val"
    assert "Videos in common: 2 (c, a)." in warn_of_leakage(*arguments, shared=shared)
    assert warn_of_leakage(*arguments, shared=[]) is None


def test_evaluation_begins_with_the_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    from vps.d2.engine import DefaultTrainer
    from vps.engine import VPSTrainer

    class Config:
        class DATASETS:
            TRAIN, TEST = ("vps_vipseg_train",), ("vps_viposeg_val",)

    monkeypatch.setattr(DefaultTrainer, "test", classmethod(lambda cls, *arguments: "scores"))
    with caplog.at_level(logging.WARNING, logger="vps.data.leakage"):
        assert VPSTrainer.test(Config, model=None) == "scores"
    assert "vps_viposeg_val shares videos with vps_vipseg_train" in caplog.text
