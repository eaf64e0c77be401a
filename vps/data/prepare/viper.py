"""VIPER as downloaded -> the video panoptic form of VPSNet, whose scripts were never released.

    <source>/<split>/{img,cls,inst}/SSS/SSS_FFFFF.{jpg,png}
    <root>/<folder>/img/SSS_FFFFF.jpg               copies
    <root>/<folder>/panoptic_video/SSS_FFFFF.png    RGB, id = R + 256 G + 65536 B, 0 = void
    <root>/viper_panoptic_<folder>_video.json       flat, as COCO's

``folder`` is ``train``, or ``val_day`` for val: the benchmark scores the first 50 frames of the
twelve sequences by day. Classes are put into VPSNet's order, 13 of stuff and 10 of things; VIPER's
other numbers are void, and so is, as in Cityscapes-VPS, a thing that has no instance number.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from vps.data.datasets.viper_categories import VIPER_CATEGORIES, VIPER_RAW_IDS
from vps.data.folders import subfolders
from vps.data.prepare.findings import Findings, Report
from vps.data.prepare.frame import Entries, Preparation
from vps.data.prepare.panoptic_index import segments_info, write_flat_index
from vps.data.prepare.segment_ids import SegmentIds
from vps.data.prepare.sources import list_names, read_number_image, required_folder
from vps.data.prepare.video_job import VideoJob, VideoResult
from vps.io import atomic_write, read_image, write_panoptic_png
from vps.structures import InputError

FOLDERS = {"train": "train", "val": "val_day"}
VAL_FRAMES = 50
_CATEGORY_OF_RAW = {raw: index for index, raw in enumerate(VIPER_RAW_IDS)}
_LARGEST_RAW = 31


def viper_preparation(
    source: Path,
    root: Path,
    *,
    sequences: Mapping[str, Collection[str]] | None = None,
    first: Mapping[str, int | None] | None = None,
    stride: Mapping[str, int] | None = None,
) -> Preparation:
    """The preparation of VIPER.

    Args:
        source: the folder as downloaded.
        root: the folder to make.
        sequences: {split: those to take}; all where a split is not mentioned.
        first: {split: number of frames to take of a sequence}; None takes all. By default all of
            train and 50 of val.
        stride: {split: n}: of these take each n-th.

    Raises:
        InputError: the folders are not there, or a frame lacks labels.
    """
    first = {"train": None, "val": VAL_FRAMES, **(first or {})}
    splits = [split for split in FOLDERS if (source / split / "img").is_dir()]
    if not splits:
        raise InputError(f"expected VIPER with train/img or val/img in {source}, got neither")
    settings = {}
    jobs = []
    for split in splits:
        wanted = (sequences or {}).get(split) or subfolders(source / split / "img")
        settings[split] = {"first": first[split], "stride": (stride or {}).get(split, 1)}
        for sequence in sorted(wanted):
            jobs.append(_sequence_job(source, split, sequence, **settings[split]))
    return Preparation(
        name="viper",
        root=root,
        jobs=jobs,
        work=partial(_prepare_sequence, source),
        finish=partial(_write_index, {job.name: job.about["split"] for job in jobs}),
        settings=settings,
        index=tuple(f"viper_panoptic_{folder}_video.json" for folder in FOLDERS.values()),
    )


def _sequence_job(
    source: Path, split: str, sequence: str, first: int | None, stride: int
) -> VideoJob:
    folder = required_folder(source / split / "img" / sequence, "VIPER")
    frames = list_names(folder, ".jpg")[:first][::stride]
    if not frames:
        raise InputError(f"expected .jpg frames in {folder}, got none")
    sources = []
    for frame in frames:
        sources.append(folder / f"{frame}.jpg")
        for kind in ("cls", "inst"):
            sources.append(source / split / kind / sequence / f"{frame}.png")
    about = {"split": split, "sequence": sequence, "frames": frames}
    return VideoJob(f"{split}/{sequence}", tuple(sources), about)


def _prepare_sequence(source: Path, root: Path, job: VideoJob) -> VideoResult:
    split, sequence = job.about["split"], job.about["sequence"]
    folder, target = source / split, root / FOLDERS[split]
    findings, ids = Findings(), SegmentIds(VIPER_CATEGORIES)
    images, annotations, files = [], [], []
    for frame in job.about["frames"]:
        class_path = folder / "cls" / sequence / f"{frame}.png"
        instance_path = folder / "inst" / sequence / f"{frame}.png"
        labels, categories = number_segments(
            np.asarray(read_number_image(class_path)),
            read_image(instance_path),
            ids,
            partial(findings.add, path=class_path),
        )
        height, width = labels.shape
        picture, mask = target / "img" / f"{frame}.jpg", target / "panoptic_video" / f"{frame}.png"
        with (
            (folder / "img" / sequence / f"{frame}.jpg").open("rb") as original,
            atomic_write(picture) as copy,
        ):
            shutil.copyfileobj(original, copy)
        write_panoptic_png(mask, labels)
        files += [path.relative_to(root).as_posix() for path in (picture, mask)]
        images.append({"id": frame, "file_name": picture.name, "width": width, "height": height})
        infos = segments_info(labels, categories)
        annotations.append({"image_id": frame, "file_name": mask.name, "segments_info": infos})
    counts = {
        "frames": len(images),
        "segments": sum(len(annotation["segments_info"]) for annotation in annotations),
    }
    entry = {"images": images, "annotations": annotations}
    return VideoResult(files, entry, counts, findings.sentences())


def number_segments(
    classes: np.ndarray, instances: np.ndarray, ids: SegmentIds, report: Report
) -> tuple[np.ndarray, dict[int, int]]:
    """Turn VIPER's two masks into segment ids.

    Args:
        classes: integers [H, W], VIPER's own class numbers.
        instances: uint8 [H, W, 3]; the instance is 256 G + B, 0 = none.
        ids: of the sequence; the frames have to come in the order of time.
        report: called with a sentence about everything odd.

    Returns:
        ids int32 [H, W] (0 = void) and {id: category}, by ascending VIPER class and instance.

    Raises:
        InputError: the masks disagree in size.
    """
    if classes.shape != instances.shape[:2]:
        raise InputError(
            f"expected masks of one size, got classes of {classes.shape[0]}x{classes.shape[1]} and "
            f"instances of {instances.shape[0]}x{instances.shape[1]} pixels"
        )
    numbers = instances[..., 1].astype(np.int32) * 256 + instances[..., 2]
    things = [raw for raw, index in _CATEGORY_OF_RAW.items() if VIPER_CATEGORIES[index].isthing]
    keys = classes.astype(np.int32) * 65536
    keys += np.where(np.isin(classes, things), numbers, 0)
    present, place = np.unique(keys, return_inverse=True)
    lookup = np.zeros(len(present), np.int32)
    categories: dict[int, int] = {}
    for position, key in enumerate(present.tolist()):
        raw, instance = divmod(key, 65536)
        category = _CATEGORY_OF_RAW.get(raw)
        if raw > _LARGEST_RAW:
            report(f"class number {raw}, which VIPER does not have: void")
        if category is None:
            continue
        isthing = VIPER_CATEGORIES[category].isthing
        if isthing and instance == 0:
            report(f"{VIPER_CATEGORIES[category].name} without an instance number: void")
            continue
        lookup[position] = ids.of(category, instance if isthing else None)
        categories[int(lookup[position])] = category
    return lookup[place].reshape(classes.shape), categories


def _write_index(splits: dict[str, str], root: Path, entries: Entries) -> list[str]:
    """Write the JSON files; ``splits`` is {job name: split}."""
    written = []
    for split, folder in FOLDERS.items():
        names = [name for name, its_split in splits.items() if its_split == split]
        if names:
            written.append(f"viper_panoptic_{folder}_video.json")
            write_flat_index(root / written[-1], VIPER_CATEGORIES, entries.of(names))
    return written
