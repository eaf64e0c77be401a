"""VIPOSeg as downloaded: looked through once, and the tables written that it lacks.

    <root>/{train,valid}/JPEGImages/<video>/<frame>.jpg
    <root>/train/Annotations, <root>/valid/Annotations_gt      object numbers, every frame
    <root>/valid/Annotations                                   where objects appear, only those
    <root>/{train,valid}/obj_class.json                        {video: {object: class 0..123}}
    <root>/{train,valid}/meta.json                             made here where it is not shipped

meta.json says in which frames an object is, so that nobody has to read all masks to know.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from vps.data.datasets.vipseg_categories import VIPSEG_CATEGORIES
from vps.data.folders import subfolders
from vps.data.prepare.findings import Findings
from vps.data.prepare.frame import MANIFEST, Entries, Preparation
from vps.data.prepare.sources import list_names, required_folder
from vps.data.prepare.video_job import VideoJob, VideoResult
from vps.io import read_json, read_label_map, write_json
from vps.io.images import read_image_size
from vps.io.object_lists import read_object_classes
from vps.structures import InputError

FOLDERS = {"train": "Annotations", "valid": "Annotations_gt"}  # where the masks of all frames are


def viposeg_preparation(root: Path) -> Preparation:
    """The preparation of VIPOSeg, in its own folder.

    Raises:
        InputError: the files of the data set are not there, or a frame has no mask.
    """
    splits = [split for split in FOLDERS if (root / split).is_dir()]
    if not splits:
        raise InputError(f"expected VIPOSeg with train/ or valid/ in {root}, got neither")
    jobs = [job for split in splits for job in _list_jobs(root, split)]
    return Preparation(
        name="viposeg",
        root=root,
        jobs=jobs,
        work=_read_video,
        finish=partial(_write_meta, {job.name: job.about["split"] for job in jobs}),
    )


def _list_jobs(root: Path, split: str) -> list[VideoJob]:
    folder = root / split
    classes = read_object_classes(folder / "obj_class.json")
    pictures = required_folder(folder / "JPEGImages", "VIPOSeg")
    masks = required_folder(folder / FOLDERS[split], "VIPOSeg")
    jobs = []
    for video in subfolders(pictures):
        frames, labelled = list_names(pictures / video, ".jpg"), list_names(masks / video, ".png")
        if frames != labelled or not frames:
            odd = sorted(set(frames) ^ set(labelled)) or ["any frame"]
            raise InputError(
                f"expected a picture and a mask of every frame of {split} video {video}, got "
                f"{len(frames)} pictures and {len(labelled)} masks in {masks.name}; one of both is "
                f"missing for {odd[0]}"
            )
        if video not in classes:
            raise InputError(f"expected video {video} in {folder / 'obj_class.json'}, got none")
        for number, category in classes[video].items():
            if not 0 <= category < len(VIPSEG_CATEGORIES):
                raise InputError(
                    f"expected a class in 0..{len(VIPSEG_CATEGORIES) - 1}, got {category} in "
                    f"{folder / 'obj_class.json'} at {video}.{number}"
                )
        given = list_names(folder / "Annotations" / video, ".png") if split == "valid" else []
        sources = [pictures / video / f"{frame}.jpg" for frame in frames]
        sources += [masks / video / f"{frame}.png" for frame in frames]
        sources += [folder / "Annotations" / video / f"{frame}.png" for frame in given]
        objects = {str(number): category for number, category in classes[video].items()}
        about = {"split": split, "video": video, "frames": frames, "given": given}
        jobs.append(VideoJob(f"{split}/{video}", tuple(sources), {**about, "classes": objects}))
    return jobs


def _read_video(root: Path, job: VideoJob) -> VideoResult:
    """Check the masks of a video; which object is in which frames."""
    split, video, findings = job.about["split"], job.about["video"], Findings()
    folder, known = root / split, {int(number) for number in job.about["classes"]}
    frames_of: dict[int, list[str]] = {}
    for frame in job.about["frames"]:
        path = folder / FOLDERS[split] / video / f"{frame}.png"
        labels = _read_mask(path, folder / "JPEGImages" / video / f"{frame}.jpg")
        present = _objects(labels)
        if unknown := sorted(present - known):
            raise InputError(
                f"object {unknown[0]} is painted in {path} but has no class in "
                f"{folder / 'obj_class.json'}"
            )
        new = present - frames_of.keys()
        for number in sorted(present):
            frames_of.setdefault(number, []).append(frame)
        if split == "valid":
            _check_given(folder, video, frame, labels, new, job.about["given"], findings)
    for number in sorted(known - frames_of.keys()):
        findings.add(f"object {number} has a class and is in no frame", folder / video)
    objects = {str(number): {"frames": names} for number, names in sorted(frames_of.items())}
    counts = {"frames": len(job.about["frames"]), "objects": len(objects)}
    return VideoResult([], {"video": video, "objects": objects}, counts, findings.sentences())


def _read_mask(path: Path, picture: Path) -> np.ndarray:
    labels = read_label_map(path, "index")
    height, width = read_image_size(picture)
    if labels.shape != (height, width):
        raise InputError(
            f"expected a mask of {height}x{width} as {picture.name} has, got "
            f"{labels.shape[0]}x{labels.shape[1]} in {path}"
        )
    return labels


def _objects(labels: np.ndarray) -> set[int]:
    return set(np.flatnonzero(np.bincount(labels.ravel())).tolist()) - {0}


def _check_given(
    folder: Path,
    video: str,
    frame: str,
    labels: np.ndarray,
    new: set[int],
    given: list[str],
    findings: Findings,
) -> None:
    """Note where the references are not exactly the objects that are new."""
    path = folder / "Annotations" / video / f"{frame}.png"
    reference = read_label_map(path, "index") if frame in given else np.zeros_like(labels)
    if not np.array_equal(reference, np.where(np.isin(labels, sorted(new)), labels, 0)):
        findings.add("the reference is not the objects that are new in the frame", path)


def _write_meta(splits: dict[str, str], root: Path, entries: Entries) -> list[str]:
    """Write meta.json where it is not shipped; ``splits`` is {job name: split}."""
    made_before = set()
    if (root / MANIFEST).is_file():
        made_before = set(read_json(root / MANIFEST).get("index_sha256", ()))
    written = []
    for split in sorted(set(splits.values())):
        name = f"{split}/meta.json"
        if (root / name).is_file() and name not in made_before:
            continue
        chosen = entries.of([job for job, its_split in splits.items() if its_split == split])
        videos = {entry["video"]: {"objects": entry["objects"]} for _, entry in chosen}
        write_json(root / name, {"videos": videos})
        written.append(name)
    return written
