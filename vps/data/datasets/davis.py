"""DAVIS 2016 and 2017: the objects of the first frame are given and followed.

    DAVIS/JPEGImages/<resolution>/<sequence>/<frame>.jpg      480p or Full-Resolution
    DAVIS/Annotations/<resolution>/<sequence>/<frame>.png     numbers of objects, 255 = void
    DAVIS/ImageSets/{2016,2017}/<split>.txt

DAVIS 2016 has one object, whatever is not 0. The objects of 2017 are those of the first mask; what
else a later one may show counts as background, as the official evaluation leaves it out. Of the
sequences of 2017's test-dev only the first frame has masks, the given ones.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np

from vps.data.catalog import register_videos
from vps.data.datasets.roots import dataset_root
from vps.data.object_videos import (
    OBJECT_CATEGORIES,
    VideoFolders,
    list_objects,
    make_object_record,
)
from vps.io import read_label_map
from vps.io.object_lists import read_sequences
from vps.structures import InputError, VideoRecord

DAVIS_SPLITS = {2016: ("train", "val"), 2017: ("train", "val", "test-dev")}


def register_davis(
    root: str | os.PathLike | None = None,
    *,
    year: int = 2017,
    resolution: str = "480p",
    name: str | None = None,
) -> None:
    """Register ``<name>_train``, ``_val`` and, for 2017, ``_test_dev``, which lie in ``root``
    (DAVIS).

    Args:
        year: 2016 or 2017.
        resolution: "480p" or "Full-Resolution", the name of the folders.
        name: ``vps_davis<year>`` if None.
    """
    if year not in DAVIS_SPLITS:
        raise InputError(f"expected DAVIS of the year 2016 or 2017, got {year}")
    folder, name = dataset_root(root, "DAVIS"), name or f"vps_davis{year}"
    for split in DAVIS_SPLITS[year]:
        ending = split.replace("-", "_")
        register_videos(
            f"{name}_{ending}",
            partial(load_davis, folder, year, split, resolution),
            OBJECT_CATEGORIES,
            evaluator_type="davis",
            zero_is_background=True,
            image_root=os.fspath(folder / "JPEGImages" / resolution),
            davis_year=year,
            source_split=f"davis{year}_{ending}",
        )


def load_davis(folder: Path, year: int, split: str, resolution: str) -> list[VideoRecord]:
    """Read the records of a split, in the order of its list.

    Raises:
        InputError: a file or folder is missing or not as expected; names it.
    """
    lists = [folder / "ImageSets" / name / f"{split}.txt" for name in (str(year), resolution)]
    index = next((path for path in lists if path.is_file()), None)
    if index is None:
        raise InputError(
            f"{lists[0]} does not exist; does DETECTRON2_DATASETS name the parent folder of DAVIS "
            "(datasets/README.md)?"
        )
    sequences = read_sequences(index)
    if not sequences:
        raise InputError(f"expected names of sequences in {index}, got none")
    folders, records = VideoFolders(), []
    for sequence in sequences:
        pictures = folders.pictures(folder / "JPEGImages" / resolution / sequence)
        masks = folders.masks(folder / "Annotations" / resolution / sequence)
        first = masks.get(next(iter(pictures)))
        if first is None:
            raise InputError(
                f"expected a mask of the first frame of sequence {sequence} in "
                f"{folder / 'Annotations' / resolution / sequence}, got none"
            )
        test = split == "test-dev"
        numbers = [1] if year == 2016 else _numbers(first)
        record = make_object_record(
            sequence,
            pictures,
            list_objects(dict.fromkeys(numbers, 1), OBJECT_CATEGORIES, first),
            labels=None if test else masks,
            references={next(iter(pictures)): first} if test else None,
            label_coding="binary" if year == 2016 else "index",
            unlisted_is_background=year == 2017,
        )
        records.append(record)
    return records


def _numbers(mask: str) -> list[int]:
    """The objects of a mask: nothing else in DAVIS says which there are."""
    return [number for number in np.unique(read_label_map(mask, "index")).tolist() if number]
