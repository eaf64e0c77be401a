"""Your own data: a folder of frames, a folder of id PNGs and a list of categories.

    <folder>/frames/<video>/<frame>.jpg|png
    <folder>/ids/<video>/<frame>.png        1000 category + instance for things, category for stuff
    <folder>/categories.json                [{"id": 1, "name": "car", "isthing": 1}, ...]

An id PNG has one channel of 8 or 16 bits, or is RGB with the id R + 256 G + 65536 B. 0 is void, and
so is 255 unless a category has that id. Pixels of a thing whose value is the category alone are a
crowd: things whose instances are unknown. A frame without an id PNG is unlabelled.

``index_folder_dataset`` (or datasets/prepare_folder.py) reads the PNGs once and writes what loading
needs:

    <folder>/panoptic/<video>/<frame>.png, <folder>/panoptic.json
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vps.config import on_load
from vps.d2.config import CfgNode
from vps.data.catalog import register_videos
from vps.data.folders import MASKS, PICTURES, Folders, MissingFileError, subfolders
from vps.data.json_node import JsonNode
from vps.data.panoptic_video_files import INDEX, PANOPTIC
from vps.data.panoptic_video_json import load_panoptic_video_json, parse_categories
from vps.data.prepare import Preparation, VideoJob, VideoResult, run_preparation
from vps.data.prepare.frame import Entries
from vps.data.prepare.panoptic_index import segments_info, write_nested_index
from vps.data.prepare.sources import read_number_image
from vps.io import atomic_folder, read_json, write_panoptic_png
from vps.io.images import open_image, read_image_size
from vps.io.index_png import VOID_LABEL
from vps.io.streams import natural_key
from vps.structures import Category, InputError, VideoRecord, rgb_to_ids

FRAMES, IDS, CATEGORIES = "frames", "ids", "categories.json"
DIVISOR = 1000  # value = DIVISOR * category + instance


def register_folder_dataset(name: str, folder: str | os.PathLike) -> None:
    """Register the data set in ``folder`` under ``name``; ``categories.json`` is read at once.

    Raises:
        InputError: ``categories.json`` is missing or wrong, or the name is taken by another.
    """
    folder = Path(folder)
    roots = {
        "image_root": os.fspath(folder / FRAMES),
        "panoptic_root": os.fspath(folder / PANOPTIC),
        "panoptic_json": os.fspath(folder / INDEX),
    }
    categories = read_folder_categories(folder)
    register_videos(name, partial(_load, folder, roots, categories), categories, **roots)


@on_load
def _register_of_config(cfg: CfgNode) -> None:
    register_folders(cfg.DATASETS.FOLDERS)


def register_folders(pairs: Sequence[Sequence[str]]) -> None:
    """Register the data sets that DATASETS.FOLDERS lists as (name, folder) each.

    Raises:
        InputError: an entry is no such pair; else as ``register_folder_dataset``.
    """
    for pair in pairs:
        if isinstance(pair, str) or len(pair) != 2 or not all(isinstance(v, str) for v in pair):
            raise InputError(
                f"expected a list of (name, folder) in DATASETS.FOLDERS, got {pair!r} in it"
            )
    for name, folder in pairs:
        register_folder_dataset(name, folder)


def _load(folder: Path, roots: dict[str, str], categories: list[Category]) -> list[VideoRecord]:
    if not (folder / INDEX).exists():
        raise InputError(
            f"{folder / INDEX} does not exist; make it with: python datasets/prepare_folder.py "
            f"{folder} (or vps.data.index_folder_dataset)"
        )
    return load_panoptic_video_json(**roots, categories=categories)


def index_folder_dataset(
    folder: str | os.PathLike,
    *,
    workers: int = 1,
    progress: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Read the id PNGs of ``folder`` and write its index. Frames and id PNGs are not touched.

    A second call does only what is new or changed.

    Args:
        workers: number of processes.
        progress: called after every video.

    Returns:
        The manifest, see ``run_preparation``.

    Raises:
        InputError: a file is missing or wrong; names the file.
    """
    return run_preparation(folder_preparation(folder), workers=workers, progress=progress)


def folder_preparation(folder: str | os.PathLike) -> Preparation:
    """What ``index_folder_dataset`` does; InputError as there."""
    folder = Path(folder)
    categories = read_folder_categories(folder)
    folders = Folders()
    try:
        videos = subfolders(folder / FRAMES)
        jobs = [_job(folder, video, folders) for video in videos]
    except MissingFileError as error:
        raise InputError(f"expected folders of frames, got {error.found}") from error
    return Preparation(
        name=folder.resolve().name,
        root=folder,
        jobs=jobs,
        work=partial(_index_video, categories),
        finish=partial(_write_index, categories),
        settings={"categories": [list(category) for category in categories]},
    )


def read_folder_categories(folder: Path) -> list[Category]:
    """The categories of a folder's ``categories.json``; ids must be in 1..999."""
    path = folder / CATEGORIES
    listed = JsonNode(read_json(path), path)
    categories = parse_categories(listed)
    for node, category in zip(listed.elements(), categories):
        if not 1 <= category.dataset_id < DIVISOR:
            raise node["id"].error(f"an id in 1..{DIVISOR - 1}")
    return categories


def _job(folder: Path, video: str, folders: Folders) -> VideoJob:
    frames = folders.stems(folder / FRAMES / video, PICTURES)
    if not frames:
        raise InputError(f"expected pictures in {folder / FRAMES / video}, got none")
    known = (folder / IDS / video).is_dir()
    ids = folders.stems(folder / IDS / video, MASKS) if known else {}
    if astray := sorted(ids.keys() - frames.keys()):
        raise InputError(f"expected a frame for {ids[astray[0]]}, got none in {FRAMES}/{video}")
    names = sorted(frames, key=natural_key)
    about = {"frames": [os.path.basename(frames[name]) for name in names], "labelled": sorted(ids)}
    return VideoJob(video, tuple(map(Path, (*frames.values(), *ids.values()))), about)


def _index_video(categories: list[Category], root: Path, job: VideoJob) -> VideoResult:
    images, annotations, files = [], [], []
    with atomic_folder(root / PANOPTIC / job.name) as target:
        for file_name in job.about["frames"]:
            name = os.path.splitext(file_name)[0]
            height, width = read_image_size(root / FRAMES / job.name / file_name)
            images.append({"id": name, "file_name": file_name, "width": width, "height": height})
            if name not in job.about["labelled"]:
                continue
            path = root / IDS / job.name / f"{name}.png"
            values = _read_values(path)
            if values.shape != (height, width):
                raise InputError(
                    f"expected ids of {height}x{width} (height x width) as the frame {file_name} "
                    f"has, got {values.shape[0]}x{values.shape[1]} in {path}"
                )
            ids, listed, crowds = _find_segments(values, categories, path)
            write_panoptic_png(target / f"{name}.png", ids)
            files.append(f"{PANOPTIC}/{job.name}/{name}.png")
            infos = segments_info(ids, listed, crowds=crowds)
            annotations.append(
                {"image_id": name, "file_name": f"{name}.png", "segments_info": infos}
            )
    counts = {"frames": len(images), "labelled frames": len(annotations)}
    return VideoResult(files, {"images": images, "annotations": annotations}, counts)


def _read_values(path: Path) -> np.ndarray:
    """The values int64 [H, W] of an id PNG."""
    image = open_image(path)
    if image.mode == "RGB":
        return rgb_to_ids(np.asarray(image)).astype(np.int64)
    return np.asarray(read_number_image(path)).astype(np.int64)


def _find_segments(
    values: np.ndarray, categories: list[Category], path: Path
) -> tuple[np.ndarray, dict[int, int], frozenset[int]]:
    """Segment ids int32 [H, W], {id: category's id}, and the ids that are crowds."""
    by_id = {category.dataset_id: category for category in categories}
    present, place = np.unique(values, return_inverse=True)
    ids, listed, crowds = np.zeros(len(present), np.int32), {}, set()
    for index, value in enumerate(present.tolist()):
        if value == 0 or (value == VOID_LABEL and VOID_LABEL not in by_id):
            continue
        number = value // DIVISOR if value >= DIVISOR else value
        category = by_id.get(number)
        if category is None:
            raise InputError(
                f"expected values of categories {sorted(by_id)} (things: {DIVISOR} category + "
                f"instance), got {value} in {path}; does {CATEGORIES} list all categories?"
            )
        # Stuff has one segment per class, whatever stands in the place of the instance.
        ids[index] = value if category.isthing else number
        listed[int(ids[index])] = number
        if category.isthing and value < DIVISOR:
            crowds.add(value)
    return ids[place.reshape(values.shape)], listed, frozenset(crowds)


def _write_index(categories: list[Category], root: Path, entries: Entries) -> list[str]:
    write_nested_index(root / INDEX, categories, entries)
    return [INDEX]
