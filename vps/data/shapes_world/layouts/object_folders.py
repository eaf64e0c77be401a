"""Shapes-VPS as DAVIS and YouTube-VOS have it: things are numbered objects, stuff is background.

DAVIS    JPEGImages/480p/<video>/<frame>.jpg, Annotations/480p/<video>/<frame>.png
         ImageSets/{2016,2017}/{train,val}.txt, ImageSets/2017/test-dev.txt
         All objects are in the first frame. Of test-dev only that is labelled.

YouTube-VOS    {train,valid}/{JPEGImages,Annotations}/<video>/<frame>.{jpg,png}, meta.json
               valid_all_frames/JPEGImages/<video>/<frame>.jpg
               Every fifth frame of the film is listed; of valid only the masks where objects
               appear are there.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vps.data.shapes_world.categories import THING_CLASSES
from vps.data.shapes_world.layouts.class_maps import YOUTUBE_VOS_CLASSES, YOUTUBE_VOS_UNSEEN
from vps.data.shapes_world.layouts.video import LayoutVideo, ObjectNumbers, save_picture
from vps.io import atomic_write, write_json
from vps.io.index_png import write_index_png

DAVIS_LISTS = {
    "train": ("2017/train", "2016/train"),
    "val": ("2017/val", "2016/val"),
    "test": ("2017/test-dev",),
}
YOUTUBE_VOS_FOLDERS = {"train": "train", "val": "valid"}
YOUTUBE_VOS_STEP = 5  # frames of the film from one listed frame to the next


def write_davis_video(root: Path, video: LayoutVideo) -> dict:
    """Write one video; what the lists say about it."""
    name = f"shapes-{video.split}-{video.number}"
    numbers = ObjectNumbers(THING_CLASSES)
    for t, image, truth in video.frames():
        stem = f"{t:05d}"
        save_picture(root / "JPEGImages" / "480p" / name / f"{stem}.jpg", image)
        labels = numbers.paint(truth, stem, admit=t == 0)
        if t == 0 or video.split != "test":
            write_index_png(root / "Annotations" / "480p" / name / f"{stem}.png", labels)
    return {"name": name}


def write_davis_lists(root: Path, entries: dict[str, list[dict]]) -> None:
    """Write the ImageSets."""
    for split, videos in entries.items():
        for name in DAVIS_LISTS[split]:
            with atomic_write(root / "ImageSets" / f"{name}.txt", "w") as file:
                file.writelines(f"{video['name']}\n" for video in videos)


def write_youtube_vos_video(root: Path, video: LayoutVideo) -> dict:
    """Write one video; what meta.json says about it."""
    folder, name = YOUTUBE_VOS_FOLDERS[video.split], f"{video.number:03x}{video.split:0<7}"
    training = video.split == "train"
    numbers = ObjectNumbers(set(THING_CLASSES) - set(YOUTUBE_VOS_UNSEEN if training else ()))
    known: set[int] = set()
    for t, image, truth in video.frames(steps_between=YOUTUBE_VOS_STEP - 1):
        stem = f"{t:05d}"
        if not training:
            save_picture(root / "valid_all_frames/JPEGImages" / name / f"{stem}.jpg", image)
        if t % YOUTUBE_VOS_STEP:
            continue
        save_picture(root / folder / "JPEGImages" / name / f"{stem}.jpg", image)
        labels = numbers.paint(truth, stem)
        new = numbers.categories.keys() - known
        known |= new
        truth_folder = "Annotations" if training else "Annotations_gt"
        write_index_png(root / folder / truth_folder / name / f"{stem}.png", labels)
        if new and not training:
            given = np.where(np.isin(labels, sorted(new)), labels, 0)
            write_index_png(root / folder / "Annotations" / name / f"{stem}.png", given)
    objects = {
        str(number): {"category": YOUTUBE_VOS_CLASSES[category], "frames": numbers.frames[number]}
        for number, category in sorted(numbers.categories.items())
    }
    return {"name": name, "objects": objects}


def write_youtube_vos_tables(root: Path, entries: dict[str, list[dict]]) -> None:
    """Write both meta.json."""
    for split, videos in entries.items():
        # A video without objects would be one without frames.
        content = {"videos": {v["name"]: {"objects": v["objects"]} for v in videos if v["objects"]}}
        write_json(root / YOUTUBE_VOS_FOLDERS[split] / "meta.json", content)
