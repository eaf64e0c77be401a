"""VIPOSeg: objects of all classes, things and stuff, are given once and followed.

    VIPOSeg/{train,valid}/JPEGImages/<video>/<frame>.jpg
    VIPOSeg/{train,valid}/obj_class.json          class 0..123 of every object of every video
    VIPOSeg/train/Annotations/<video>/<frame>.png      every frame, objects of seen classes
    VIPOSeg/valid/Annotations/<video>/<frame>.png      where objects first appear, these alone
    VIPOSeg/valid/Annotations_gt/<video>/<frame>.png   every frame
    VIPOSeg/valid/meta.json                            the frames of each object

The frames of a valid video are those in which some object appears, as in the official program. A
valid folder without ``Annotations_gt`` can be segmented but not scored.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from vps.data.catalog import register_videos
from vps.data.datasets.roots import dataset_root
from vps.data.datasets.vipseg_categories import VIPSEG_CATEGORIES
from vps.data.object_videos import VideoFolders, list_objects, make_object_record
from vps.io.object_lists import read_object_classes, read_object_frames
from vps.metrics import VIPOSegSubsets
from vps.structures import InputError, VideoRecord

VIPOSEG_FOLDERS = {"train": "train", "val": "valid"}


def register_viposeg(root: str | os.PathLike | None = None, *, name: str = "vps_viposeg") -> None:
    """Register ``<name>_train`` and ``<name>_val``, which lie in ``root`` (VIPOSeg)."""
    folder = dataset_root(root, "VIPOSeg")
    for split, subfolder in VIPOSEG_FOLDERS.items():
        register_videos(
            f"{name}_{split}",
            partial(load_viposeg, folder / subfolder, given=split == "val"),
            VIPSEG_CATEGORIES,
            evaluator_type="viposeg",
            zero_is_background=True,
            image_root=os.fspath(folder / subfolder / "JPEGImages"),
            viposeg_subsets=VIPOSegSubsets.of_benchmark(),
            source_split=f"viposeg_{split}",
        )


def load_viposeg(folder: Path, *, given: bool) -> list[VideoRecord]:
    """Read the records of ``train`` or ``valid``, in the order of obj_class.json.

    Args:
        given: whether the masks of ``Annotations`` are those of objects that are given.

    Raises:
        InputError: a file or folder is missing or not as expected; names it.
    """
    index = folder / "obj_class.json"
    if not index.exists():
        raise InputError(
            f"{index} does not exist; does DETECTRON2_DATASETS name the parent folder of VIPOSeg "
            "(datasets/README.md)?"
        )
    appearances = read_object_frames(folder / "meta.json") if given else {}
    truth = folder / ("Annotations_gt" if given else "Annotations")
    scored = not given or truth.is_dir()
    folders, records = VideoFolders(), []
    for video, classes in read_object_classes(index).items():
        frames = None
        if given:
            if video not in appearances:
                raise InputError(
                    f"expected video {video} of {index} in {folder / 'meta.json'} too, got "
                    f"{len(appearances)} videos without it"
                )
            frames = [name for entry in appearances[video].values() for name in entry.frames]
        record = make_object_record(
            video,
            folders.pictures(folder / "JPEGImages" / video, frames),
            list_objects(classes, VIPSEG_CATEGORIES, f"{index} at {video}"),
            labels=folders.masks(truth / video) if scored else None,
            references=folders.masks(folder / "Annotations" / video) if given else None,
        )
        records.append(record)
    if not records:
        raise InputError(f"expected videos in {index}, got none")
    return records
