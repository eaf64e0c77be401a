"""Folders of palette PNGs: the layouts of video object segmentation.

    VIPOSeg      <gt>/{Annotations_gt,Annotations}/<video>/<frame>.png, <gt>/obj_class.json
    DAVIS        <gt>/Annotations/480p/<sequence>/<frame>.png, <gt>/ImageSets/<year>/<split>.txt
    YouTube-VOS  <gt>/Annotations/<video>/<frame>.png (all frames), <gt>/meta.json
    predictions  <pred>/<video>/<frame>.png

Videos and frames are paired by name. (VIPOSeg's program zips sorted folders, so one missing frame
shifts all that follow.)
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from vps.evaluation.official.layouts import PngFolder, existing_folder
from vps.evaluation.official.tasks import ObjectTask
from vps.io import read_json
from vps.structures import InputError


def viposeg_tasks(
    gt: str | os.PathLike, pred: str | os.PathLike, *, allow_extra: bool = False
) -> list[ObjectTask]:
    """VIPOSeg: ``valid/`` against a folder of results. References are the PNGs in Annotations.

    Raises:
        InputError: a folder or obj_class.json is missing or not as expected.
    """
    root = existing_folder(gt, "ground truth")
    truth = PngFolder(os.fspath(existing_folder(root / "Annotations_gt", "ground truth")))
    given = PngFolder(os.fspath(existing_folder(root / "Annotations", "reference masks")))
    classes = _read_classes(root / "obj_class.json")
    tasks = []
    for task in _pair(truth, pred, truth.subfolders(), allow_extra=allow_extra):
        index = {f"{name}.png": number for number, name in enumerate(task.frame_ids)}
        references, problem = {}, task.problem
        for name in sorted(given.names(task.video_id)):
            path = given.path(f"{task.video_id}/{name}")
            if name in index:
                references[index[name]] = path
            else:
                problem = problem or f"expected a frame of Annotations_gt for {path}, got none"
        if not references:
            folder = given.path(task.video_id)
            problem = problem or f"expected PNGs with reference masks in {folder}, got none"
        if task.video_id not in classes:
            problem = problem or (
                f"video {task.video_id} is missing in {root / 'obj_class.json'}, which has the "
                "classes of its objects"
            )
        tasks.append(
            replace(
                task,
                reference_paths=references,
                object_classes=classes.get(task.video_id),
                problem=problem,
            )
        )
    return tasks


def davis_tasks(
    gt: str | os.PathLike,
    pred: str | os.PathLike,
    *,
    year: int,
    split: str = "val",
    resolution: str = "480p",
    allow_extra: bool = False,
) -> list[ObjectTask]:
    """DAVIS: the sequences of a split. First and last frame are not scored and may be missing.

    Raises:
        InputError: a folder or the list of sequences is missing.
    """
    root = existing_folder(gt, "ground truth")
    folder = existing_folder(root / "Annotations" / resolution, "ground truth")
    lists = [root / "ImageSets" / name / f"{split}.txt" for name in (str(year), resolution)]
    found = next((path for path in lists if path.is_file()), None)
    if found is None:
        raise InputError(
            f"expected the list of sequences {lists[0]}, got none; choose one with --split"
        )
    sequences = _read_sequences(found)
    return _pair(
        PngFolder(os.fspath(folder)), pred, sequences, allow_extra=allow_extra, ends_optional=True
    )


def youtube_vos_tasks(
    gt: str | os.PathLike, pred: str | os.PathLike, *, allow_extra: bool = False
) -> list[ObjectTask]:
    """YouTube-VOS with public masks of all frames; meta.json says where objects first appear.

    Raises:
        InputError: a folder is missing, or meta.json is not as expected.
    """
    root = existing_folder(gt, "ground truth")
    truth = PngFolder(os.fspath(existing_folder(root / "Annotations", "ground truth")))
    meta = _read_meta(root / "meta.json") if (root / "meta.json").is_file() else None
    videos = truth.subfolders() if meta is None else set(meta) & truth.subfolders()
    if meta is not None and not videos:
        raise InputError(f"no video of {root / 'meta.json'} has a folder in {truth.root}")
    tasks = []
    for task in _pair(truth, pred, videos, allow_extra=allow_extra):
        if meta is None:
            tasks.append(task)
            continue
        index = {name: number for number, name in enumerate(task.frame_ids)}
        references, problem = {}, task.problem
        for number, (first, _) in meta[task.video_id].items():
            if first in index:
                references[number] = index[first]
            else:
                problem = problem or (
                    f"object {number} of video {task.video_id} first appears in frame {first} as "
                    f"{root / 'meta.json'} says, but {truth.path(task.video_id)} lacks that frame"
                )
        classes = {n: name for n, (_, name) in meta[task.video_id].items() if name is not None}
        tasks.append(replace(task, references=references, object_classes=classes, problem=problem))
    return tasks


def read_seen_classes(path: str | os.PathLike) -> set[str]:
    """The classes of the objects in a meta.json of YouTube-VOS.

    Raises:
        InputError: the file is not as expected, or states no class.
    """
    meta = _read_meta(Path(path))
    names = {name for objects in meta.values() for _, name in objects.values() if name is not None}
    if not names:
        raise InputError(f"expected objects with a category in {path}, got none")
    return names


def _pair(
    truth: PngFolder,
    pred: str | os.PathLike,
    videos: Iterable[str],
    *,
    allow_extra: bool,
    ends_optional: bool = False,
) -> list[ObjectTask]:
    """One task per video, in the order of the names; what is wrong with one is its problem."""
    pictures = PngFolder(os.fspath(existing_folder(pred, "predictions")))
    videos = sorted(videos)
    if not videos:
        raise InputError(f"expected folders of videos in {truth.root}, got none")
    if not allow_extra and (extra := sorted(pictures.subfolders() - set(videos))):
        raise InputError(
            f"the ground truth {truth.root} knows no video {extra[0]}, for which "
            f"{pictures.path(extra[0])} has predictions ({len(extra)} such in all); ignore them "
            "with --allow-extra"
        )
    return [
        _pair_frames(truth, pictures, video, allow_extra=allow_extra, ends_optional=ends_optional)
        for video in videos
    ]


def _pair_frames(
    truth: PngFolder, pictures: PngFolder, video: str, *, allow_extra: bool, ends_optional: bool
) -> ObjectTask:
    names, given = sorted(truth.names(video)), pictures.names(video)
    scored = names[1:-1] if ends_optional else names
    missing, extra = sorted(set(scored) - given), sorted(given - set(names))
    problem = None
    if not names:
        problem = f"expected PNGs of video {video} in {truth.path(video)}, got none"
    elif not given:
        problem = f"expected predictions of video {video} in {pictures.path(video)}, got none"
    elif missing:
        problem = (
            f"the prediction of frame {Path(missing[0]).stem} of video {video} is missing: "
            f"expected {pictures.path(f'{video}/{missing[0]}')} ({len(missing)} such in all)"
        )
    elif extra and not allow_extra:
        problem = (
            f"video {video} has no frame for the prediction "
            f"{pictures.path(f'{video}/{extra[0]}')} ({len(extra)} such in all); ignore them with "
            "--allow-extra"
        )
    return ObjectTask(
        video,
        tuple(Path(name).stem for name in names),
        tuple(truth.path(f"{video}/{name}") for name in names),
        tuple(pictures.path(f"{video}/{name}") if name in given else None for name in names),
        problem=problem,
    )


def _read_sequences(path: Path) -> list[str]:
    """Names of sequences, one per line; or, as DAVIS 2016 has it, paths of frames."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the list of sequences {path}: {error}") from error
    names = []
    for line in lines:
        words = line.split()
        name = Path(words[0]).parts[-2:][0] if words and "/" in words[0] else line.strip()
        if name and name not in names:
            names.append(name)
    return names


def _read_classes(path: Path) -> dict[str, dict[int, int]]:
    """{video: {object number: class}} of an obj_class.json; its keys and values may be text."""
    content = _object(read_json(path), path, "")
    return {
        video: {
            _number(number, path, f"{video}"): _number(value, path, f"{video}.{number}")
            for number, value in _object(objects, path, video).items()
        }
        for video, objects in content.items()
    }


def _read_meta(path: Path) -> dict[str, dict[int, tuple[str, str | None]]]:
    """{video: {object number: (first frame, category)}} of a meta.json."""
    videos = _object(_object(read_json(path), path, "").get("videos"), path, "videos")
    result: dict[str, dict[int, tuple[str, str | None]]] = {}
    for video, entry in videos.items():
        where = f"videos.{video}.objects"
        objects = _object(_object(entry, path, f"videos.{video}").get("objects"), path, where)
        result[video] = {}
        for number, about in objects.items():
            frames = _object(about, path, f"{where}.{number}").get("frames")
            if not isinstance(frames, list) or not frames:
                raise InputError(
                    f"expected a list of frames in {path} at {where}.{number}.frames, got none"
                )
            category = about.get("category")
            result[video][_number(number, path, where)] = (
                min(map(str, frames)),
                None if category is None else str(category),
            )
    return result


def _object(value: Any, path: Path, where: str) -> dict:
    if not isinstance(value, dict):
        at = f" at {where}" if where else ""
        raise InputError(f"expected an object in {path}{at}, got {type(value).__name__}")
    return value


def _number(value: Any, path: Path, where: str) -> int:
    try:
        if isinstance(value, bool | float):
            raise ValueError
        return int(value)
    except (ValueError, TypeError):
        raise InputError(
            f"expected a number in {path} at {where}, got {str(value)[:40]!r}"
        ) from None
