"""YouTube-VOS, and VOSW in the same layout: objects are given where they first appear.

    YouTubeVOS/{train,valid}/JPEGImages/<video>/<frame>.jpg      every fifth frame of the film
    YouTubeVOS/{train,valid}/meta.json                           the frames of each object
    YouTubeVOS/train/Annotations/<video>/<frame>.png             every listed frame
    YouTubeVOS/valid/Annotations/<video>/<frame>.png             where objects first appear
    YouTubeVOS/valid_all_frames/JPEGImages/<video>/<frame>.jpg   every frame of the film (optional)

The frames of a video are those in which some object appears. Whoever has masks of all frames of
``valid``, which are not public, puts them into ``valid/Annotations_gt``, as VIPOSeg does. VOSW,
whose own form is not public, has the folder ``valid`` alone.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from vps.data.catalog import register_videos
from vps.data.datasets.roots import dataset_root
from vps.data.object_videos import (
    OBJECT_CATEGORIES,
    VideoFolders,
    list_objects,
    make_object_record,
)
from vps.io.object_lists import ObjectEntry, read_object_frames
from vps.structures import InputError, VideoRecord

YOUTUBE_VOS_FOLDERS = {"train": "train", "val": "valid"}


def register_youtube_vos(
    root: str | os.PathLike | None = None,
    *,
    name: str = "vps_ytvos",
    all_frames: bool = False,
    edition: int = 2019,
) -> None:
    """Register ``<name>_train`` and ``<name>_val``, which lie in ``root`` (YouTubeVOS).

    Args:
        all_frames: give models every frame of the film between the first and the last listed frame
            of a valid video; the listed ones are those that count.
        edition: 2018 or 2019; decides nothing but what is known of shared videos.
    """
    folder = dataset_root(root, "YouTubeVOS")
    for split, subfolder in YOUTUBE_VOS_FOLDERS.items():
        film = f"{subfolder}_all_frames" if all_frames and split == "val" else None
        _register(
            f"{name}_{split}",
            folder,
            subfolder,
            film=film,
            source_split=f"ytvos{edition}_{split}",
        )


def register_vosw(root: str | os.PathLike | None = None, *, name: str = "vps_vosw") -> None:
    """Register ``<name>_val``, which lies in ``root`` (VOSW) as ``valid`` of YouTube-VOS does."""
    _register(f"{name}_val", dataset_root(root, "VOSW"), "valid", source_split="vosw_val")


def _register(
    name: str, folder: Path, subfolder: str, *, source_split: str, film: str | None = None
) -> None:
    register_videos(
        name,
        partial(
            load_youtube_vos,
            folder / subfolder,
            given=subfolder == "valid",
            film=folder / film if film else None,
        ),
        OBJECT_CATEGORIES,
        evaluator_type="youtube_vos",
        zero_is_background=True,
        seen_classes_file=os.fspath(folder / "train" / "meta.json"),
        image_root=os.fspath(folder / (film or subfolder) / "JPEGImages"),
        source_split=source_split,
    )


def load_youtube_vos(folder: Path, *, given: bool, film: Path | None = None) -> list[VideoRecord]:
    """Read the records of ``train`` or ``valid``, in the order of meta.json.

    Args:
        given: whether the masks of ``Annotations`` are those of objects that are given.
        film: the folder of all frames, whose ``JPEGImages`` are taken between listed frames.

    Raises:
        InputError: a file or folder is missing or not as expected; names it.
    """
    index = folder / "meta.json"
    if not index.exists():
        raise InputError(
            f"{index} does not exist; does DETECTRON2_DATASETS name the parent folder of "
            f"{folder.parent.name} (datasets/README.md)?"
        )
    truth = folder / ("Annotations_gt" if given else "Annotations")
    scored = not given or truth.is_dir()
    folders, records = VideoFolders(), []
    for video, entries in read_object_frames(index).items():
        listed = {name for entry in entries.values() for name in entry.frames}
        pictures = folders.pictures(folder / "JPEGImages" / video, listed)
        if film is not None:
            pictures = _between(folders.pictures(film / "JPEGImages" / video), pictures)
        record = make_object_record(
            video,
            pictures,
            list_objects(dict.fromkeys(entries, 1), OBJECT_CATEGORIES, f"{index} at {video}"),
            labels=folders.masks(truth / video) if scored else None,
            references=folders.masks(folder / "Annotations" / video) if given else None,
        )
        record["object_names"] = _names(entries)
        if film is not None:
            record["output_frames"] = [name in listed for name in record["image_ids"]]
        records.append(record)
    if not records:
        raise InputError(f"expected videos in {index}, got none")
    return records


def _between(film: dict[str, str], listed: dict[str, str]) -> dict[str, str]:
    """The frames of the film from the first listed frame to the last; listed ones stay."""
    first, last = min(listed), max(listed)
    between = {name: path for name, path in film.items() if first <= name <= last}
    return dict(sorted({**between, **listed}.items()))


def _names(entries: dict[int, ObjectEntry]) -> dict[int, str]:
    return {n: entry.category for n, entry in entries.items() if entry.category is not None}
