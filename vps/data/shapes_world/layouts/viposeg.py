"""Shapes-VPS as VIPOSeg has it: every segment, thing or stuff, is an object with a number.

train/{JPEGImages,Annotations}/<video>/<frame>.{jpg,png}    every frame, seen classes only
train/obj_class.json
valid/JPEGImages, valid/Annotations_gt                      every frame
valid/Annotations                                           where objects appear, only these
valid/obj_class.json, valid/meta.json
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vps.data.shapes_world.categories import SHAPES_CATEGORIES
from vps.data.shapes_world.layouts.class_maps import VIPOSEG_UNSEEN, VIPSEG_CLASSES
from vps.data.shapes_world.layouts.video import (
    LayoutVideo,
    ObjectNumbers,
    save_picture,
)
from vps.io import write_json
from vps.io.index_png import write_index_png

FOLDERS = {"train": "train", "val": "valid"}


def write_video(root: Path, video: LayoutVideo) -> dict:
    """Write one video; what the JSON files say about it."""
    folder, name = root / FOLDERS[video.split], video_name(video)
    training = video.split == "train"
    erased = set(VIPOSEG_UNSEEN if training else ())
    numbers = ObjectNumbers(set(range(len(SHAPES_CATEGORIES))) - erased, erased=erased)
    truth_folder = "Annotations" if training else "Annotations_gt"
    known: set[int] = set()
    for t, image, truth in video.frames():
        stem = f"{t:05d}"
        labels = numbers.paint(truth, stem)
        save_picture(folder / "JPEGImages" / name / f"{stem}.jpg", image)
        write_index_png(folder / truth_folder / name / f"{stem}.png", labels)
        new = numbers.categories.keys() - known
        known |= new
        if new and not training:
            given = np.where(np.isin(labels, sorted(new)), labels, np.uint8(0))
            write_index_png(folder / "Annotations" / name / f"{stem}.png", given)
    objects = sorted(numbers.categories)
    return {
        "name": name,
        "classes": {str(n): VIPSEG_CLASSES[numbers.categories[n]] for n in objects},
        "objects": {str(n): {"frames": numbers.frames[n]} for n in objects},
    }


def write_tables(root: Path, entries: dict[str, list[dict]]) -> None:
    """Write obj_class.json and, where the data set has one, meta.json."""
    for split, videos in entries.items():
        folder = root / FOLDERS[split]
        write_json(folder / "obj_class.json", {v["name"]: v["classes"] for v in videos})
        if split != "train":
            meta = {"videos": {v["name"]: {"objects": v["objects"]} for v in videos}}
            write_json(folder / "meta.json", meta)


def video_name(video: LayoutVideo) -> str:
    """As VIPSeg names videos: a number that is not padded, and eleven characters."""
    return f"{video.number}_Shapes{video.split:_<5}"
