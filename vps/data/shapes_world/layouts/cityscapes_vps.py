"""Shapes-VPS as Cityscapes-VPS is shipped: snippets of 30 frames, of which every fifth is labelled.

    {train,val}/img            labelled frames, VVVV_IIII_<city>_<sequence>_<frame>_*Img8bit.png
    {val,test}/img_all         all frames, <city>_<sequence>_<frame>_leftImg8bit.png
    {train,val}/cls            RGB: the classes' colours, black = void
    {train,val}/inst           16 bits: Cityscapes' class number, for things 1000 of it + instance
    {train,val}/labelmap       8 bits: class 0..18, 255 = void
    {train,val}/panoptic_inst  16 bits: class, for things 1000 class + instance, 255 = void
    panoptic_im_{train,val,test}_city_vps.json    labelled frames and categories
    im_all_info_{val,test}_city_vps.json          all frames

The files for detection (instances_*_rle.json) are left out: nothing here reads them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vps.data.datasets.cityscapes_categories import CITYSCAPES_CATEGORIES, CITYSCAPES_RAW_IDS
from vps.data.shapes_world.layouts.class_maps import CITYSCAPES_CLASSES
from vps.data.shapes_world.layouts.video import (
    InstanceNumbers,
    LayoutVideo,
    paint_values,
    save_labels,
    save_picture,
)
from vps.io import write_json
from vps.structures import InputError, PanopticFrame

LABELS_PER_VIDEO, STEP = 6, 5
VOID = 255
# In the order of the names of the snippets: frankfurt's come first, then lindau's, then munster's.
_LAST_VIDEO_OF_CITY = {"frankfurt": 267, "lindau": 326, "munster": 9999}


def write_video(root: Path, video: LayoutVideo) -> dict:
    """Write one video; the image entries of the JSON files."""
    if not STEP <= video.source.frames <= STEP * LABELS_PER_VIDEO:
        raise InputError(
            f"expected videos of {STEP}..{STEP * LABELS_PER_VIDEO} frames for this layout (each "
            f"fifth frame is labelled), got {video.source.frames}"
        )
    number, folder = _video_number(video), root / video.split
    instances = InstanceNumbers()
    labelled, everything = [], []
    for t, image, truth in video.frames():
        height, width = truth.ids.shape
        size = {"height": height, "width": width}
        plain = _plain_name(number, t)
        if video.split != "train":
            save_picture(folder / "img_all" / f"{plain}_leftImg8bit.png", image)
            entry = {"id": 10000 * number + t + 1, "file_name": f"{plain}_leftImg8bit.png"}
            everything.append(entry | size)
        names = instances.of(truth)
        if t % STEP != STEP - 1:
            continue
        image_id = f"{number:04d}_{LABELS_PER_VIDEO * (number - 1) + t // STEP + 1:04d}_{plain}"
        original = t // STEP == 3  # the frame that Cityscapes itself labelled
        file_name = f"{image_id}_{'leftImg8bit' if original else 'newImg8bit'}.png"
        labelled.append({"id": image_id, "file_name": file_name, **size})
        if video.split == "test":
            continue
        save_picture(folder / "img" / file_name, image)
        _write_labels(folder, image_id, original, truth, names)
    return {"labelled": labelled, "all": everything}


def write_tables(root: Path, entries: dict[str, list[dict]]) -> None:
    """Write the JSON files that are shipped."""
    categories = [
        {
            "id": category.dataset_id,
            "name": "vegitation" if category.name == "vegetation" else category.name,
            "supercategory": "",
            "isthing": int(category.isthing),
            "instance_eval": int(category.isthing),
            "trainid": category.dataset_id,
            "ori_id": 21 if category.name == "traffic sign" else raw_id,  # as it is mistyped there
            "color": list(category.color),
        }
        for category, raw_id in zip(CITYSCAPES_CATEGORIES, CITYSCAPES_RAW_IDS)
    ]
    for split, videos in entries.items():
        images = [image for video in videos for image in video["labelled"]]
        content = {"images": images, "categories": categories}
        write_json(root / f"panoptic_im_{split}_city_vps.json", content)
        if split != "train":
            images = [image for video in videos for image in video["all"]]
            write_json(
                root / f"im_all_info_{split}_city_vps.json",
                {"images": images, "categories": categories},
            )


def _write_labels(
    folder: Path, image_id: str, original: bool, truth: PanopticFrame, names: dict
) -> None:
    classes = {key: CITYSCAPES_CLASSES[s.category] for key, s in truth.segments.items()}
    raw = {key: CITYSCAPES_RAW_IDS[value] for key, value in classes.items()}
    mask, instance = (
        ("gtFine_color", "gtFine_instanceIds")
        if original
        else ("final_mask", "original_image_instance_greyscale")
    )
    numbered, raw_numbered = (
        {key: 1000 * v + names[key].number if key in names else v for key, v in values.items()}
        for values in (classes, raw)
    )
    colors = np.zeros((*truth.ids.shape, 3), np.uint8)
    for segment_id, value in classes.items():
        colors[truth.ids == segment_id] = CITYSCAPES_CATEGORIES[value].color
    save_labels(folder / "cls" / f"{image_id}_{mask}.png", colors)
    for name, ending, values, dtype, void in (
        ("inst", instance, raw_numbered, np.uint16, 0),
        ("labelmap", mask, classes, np.uint8, VOID),
        ("panoptic_inst", mask, numbered, np.uint16, VOID),
    ):
        labels = paint_values(truth.ids, values, dtype, void=void)
        save_labels(folder / name / f"{image_id}_{ending}.png", labels)


def _video_number(video: LayoutVideo) -> int:
    """1..: val has 5, 15, 25, ..., test 10, 20, 30, ..., train what 5 does not divide."""
    n = video.number
    return {"train": n + n // 4 + 1, "val": 10 * n + 5, "test": 10 * n + 10}[video.split]


def _plain_name(number: int, t: int) -> str:
    """``<city>_<sequence>_<frame>`` of frame t (0, 1, ...) of a video; sorted as the videos are."""
    city = next(city for city, last in _LAST_VIDEO_OF_CITY.items() if number <= last)
    if city == "frankfurt":  # long sequences, from which snippets were cut
        return f"{city}_000000_{60 * number + t:06d}"
    return f"{city}_{number:06d}_{t:06d}"
