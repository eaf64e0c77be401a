"""Prepared VIPSeg -> annotations of the kind that VIPOSeg has, for those who have only VIPSeg.

Every segment, thing or stuff, becomes an object with a number, counted from 1 in the order of
appearance; in valid it is given where it first appears. As in VIPOSeg, objects of the classes that
training must not see are background in train. This is not VIPOSeg: that one divides the videos of
train and val anew, and its masks were worked over.

    <source>/images, panomasksRGB, panoptic_gt_VIPSeg_{train,val}.json
    <root>/train, <root>/valid          see ``viposeg``
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np

from vps.data.datasets.vipseg_categories import VIPSEG_CATEGORIES
from vps.data.panoptic_video_json import load_panoptic_video_json
from vps.data.prepare.frame import Entries, Preparation
from vps.data.prepare.video_job import VideoJob, VideoResult
from vps.io import atomic_folder, read_panoptic_png, write_json
from vps.io.index_png import MAX_OBJECT, write_index_png
from vps.metrics.viposeg_subsets import VIPOSegSubsets
from vps.structures import InputError

FOLDERS = {"train": "train", "val": "valid"}  # split of VIPSeg -> folder of VIPOSeg


def viposeg_from_vipseg_preparation(
    source: Path, root: Path, *, keep_unseen: bool = False
) -> Preparation:
    """The conversion.

    Args:
        source: VIPSeg_720P as ``prepare_vipseg.py`` leaves it.
        root: the folder to make.
        keep_unseen: leave the classes in train that VIPOSeg removes there.

    Raises:
        InputError: ``source`` is not laid out so, or its index is bad.
    """
    splits = [s for s in FOLDERS if (source / f"panoptic_gt_VIPSeg_{s}.json").is_file()]
    if not splits:
        raise InputError(
            f"expected panoptic_gt_VIPSeg_train.json or _val.json in {source}, got neither; was "
            "datasets/prepare_vipseg.py run?"
        )
    jobs = [job for split in splits for job in _list_jobs(source, split)]
    return Preparation(
        name="viposeg_from_vipseg",
        root=root,
        jobs=jobs,
        work=partial(_prepare_video, keep_unseen),
        finish=partial(_write_tables, {job.name: job.about["split"] for job in jobs}),
        settings={"keep_unseen": keep_unseen},
        manifest="manifest_from_vipseg.json",
        index=tuple(f"{folder}/obj_class.json" for folder in FOLDERS.values()),
    )


def _list_jobs(source: Path, split: str) -> list[VideoJob]:
    records = load_panoptic_video_json(
        source / "images",
        source / "panomasksRGB",
        source / f"panoptic_gt_VIPSeg_{split}.json",
        VIPSEG_CATEGORIES,
    )
    jobs = []
    for record in records:
        frames, sources = [], []
        for t in (t for t, labelled in enumerate(record["labelled"]) if labelled):
            mask, picture = record["pan_seg_file_names"][t], record["file_names"][t]
            infos = record["segments_infos"][t]
            segments = [[i["id"], i["category_id"]] for i in infos if not i["iscrowd"]]
            frames.append([record["image_ids"][t], segments])
            sources += [Path(picture), Path(mask)]
        if frames:
            about = {"split": split, "video": record["video_id"], "frames": frames}
            name = f"vipseg_{split}/{record['video_id']}"  # unlike those of ``viposeg``
            jobs.append(VideoJob(name, tuple(sources), about))
    return jobs


def _prepare_video(keep_unseen: bool, root: Path, job: VideoJob) -> VideoResult:
    video, training = job.about["video"], job.about["split"] == "train"
    objects = _Objects(video, seen_only=training and not keep_unseen)
    folder = root / FOLDERS[job.about["split"]]
    names = ["JPEGImages", "Annotations" if training else "Annotations_gt"]
    names += [] if training else ["Annotations"]
    pictures, masks = job.sources[::2], job.sources[1::2]
    files = []
    with ExitStack() as stack:
        picture_folder, truth_folder, *given_folder = (
            stack.enter_context(atomic_folder(folder / name / video)) for name in names
        )
        for (frame, segments), picture, mask in zip(job.about["frames"], pictures, masks):
            labels, new = objects.paint(read_panoptic_png(mask), segments, frame)
            shutil.copyfile(picture, picture_folder / f"{frame}{picture.suffix}")
            write_index_png(truth_folder / f"{frame}.png", labels)
            files.append(f"{folder.name}/{names[0]}/{video}/{frame}{picture.suffix}")
            files.append(f"{folder.name}/{names[1]}/{video}/{frame}.png")
            if new and given_folder:
                given = np.where(np.isin(labels, new), labels, np.uint8(0))
                write_index_png(given_folder[0] / f"{frame}.png", given)
                files.append(f"{folder.name}/{names[2]}/{video}/{frame}.png")
    entry = {"video": video, "classes": objects.classes, "frames": objects.frames}
    counts = {"frames": len(pictures), "objects": len(objects.classes)}
    return VideoResult(files, entry, counts)


class _Objects:
    """The segments of a video as numbered objects.

    Attributes:
        classes: {object number: class}.
        frames: {object number: names of its frames}; numbers are text, as in the JSON files.
    """

    def __init__(self, video: str, *, seen_only: bool) -> None:
        self.classes: dict[str, int] = {}
        self.frames: dict[str, list[str]] = {}
        self._video, self._seen_only = video, seen_only
        self._numbers: dict[int, int] = {}
        self._subsets = VIPOSegSubsets.of_benchmark()

    def paint(
        self, ids: np.ndarray, segments: list[list[int]], frame: str
    ) -> tuple[np.ndarray, list[int]]:
        """Object numbers uint8 [H, W] of the next frame and those that are new in it.

        ``segments`` are pairs (segment id, class).
        """
        labels, new = np.zeros(ids.shape, np.uint8), []
        for segment_id, category in segments:
            if self._seen_only and self._is_unseen(category):
                continue
            if segment_id not in self._numbers:
                self._numbers[segment_id] = len(self._numbers) + 1
                new.append(self._numbers[segment_id])
            number = self._numbers[segment_id]
            if number > MAX_OBJECT:
                raise InputError(
                    f"expected at most {MAX_OBJECT} objects in video {self._video}, as masks of 8 "
                    "bits can number, got more"
                )
            labels[ids == segment_id] = number
            self.classes[str(number)] = category
            self.frames.setdefault(str(number), []).append(frame)
        return labels, new

    def _is_unseen(self, category: int) -> bool:
        return (self._subsets.subset_of(self._video, category) or "").endswith("_unseen")


def _write_tables(splits: dict[str, str], root: Path, entries: Entries) -> list[str]:
    """Write obj_class.json and meta.json; ``splits`` is {job name: split of VIPSeg}."""
    written = []
    for split, folder in FOLDERS.items():
        chosen = entries.of([name for name, its_split in splits.items() if its_split == split])
        classes, videos = {}, {}
        for _, entry in chosen:
            classes[entry["video"]] = entry["classes"]
            objects = {n: {"frames": frames} for n, frames in entry["frames"].items()}
            videos[entry["video"]] = {"objects": objects}
        if classes:
            write_json(root / folder / "obj_class.json", classes)
            write_json(root / folder / "meta.json", {"videos": videos})
            written += [f"{folder}/obj_class.json", f"{folder}/meta.json"]
    return written
