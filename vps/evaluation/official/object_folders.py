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

from vps.evaluation.official.layouts import PngFolder, existing_folder
from vps.evaluation.official.tasks import ObjectTask
from vps.io.object_lists import read_object_classes, read_object_frames, read_sequences
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
    classes = read_object_classes(root / "obj_class.json")
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
    sequences = read_sequences(found)
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
    meta = read_object_frames(root / "meta.json") if (root / "meta.json").is_file() else None
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
        objects = meta[task.video_id]
        for number, entry in objects.items():
            if entry.first in index:
                references[number] = index[entry.first]
            else:
                problem = problem or (
                    f"object {number} of video {task.video_id} first appears in frame "
                    f"{entry.first} as {root / 'meta.json'} says, but "
                    f"{truth.path(task.video_id)} lacks that frame"
                )
        classes = {n: e.category for n, e in objects.items() if e.category is not None}
        tasks.append(replace(task, references=references, object_classes=classes, problem=problem))
    return tasks


def read_seen_classes(path: str | os.PathLike) -> set[str]:
    """The classes of the objects in a meta.json of YouTube-VOS.

    Raises:
        InputError: the file is not as expected, or states no class.
    """
    entries = [entry for video in read_object_frames(path).values() for entry in video.values()]
    names = {entry.category for entry in entries if entry.category is not None}
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
