"""Tiny data sets in their official layouts, made by hand: two-frame videos of 4 x 6 pixels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vps.structures import Category, ids_to_rgb

HEIGHT, WIDTH = 4, 6


def save_picture(path: Path, *, height: int = HEIGHT, width: int = WIDTH) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), (90, 120, 150)).save(path)


def save_ids(path: Path, columns: Sequence[int]) -> None:
    """An RGB mask whose columns have these ids."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = np.tile(np.array(columns, np.int32), (HEIGHT, 1))
    Image.fromarray(ids_to_rgb(ids)).save(path)


def save_index(path: Path, columns: Sequence[int], *, palette: bool = True) -> None:
    """A one-channel mask whose columns have these values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.tile(np.array(columns, np.uint8), (HEIGHT, 1)))
    if palette:
        image.putpalette(list(range(256)) * 3)
    image.save(path)


def save_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def edit_json(path: Path, change: Any) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def category_rows(categories: Iterable[Category], **renamed: str) -> list[dict[str, Any]]:
    return [
        {"id": c.dataset_id, "name": renamed.get(c.name, c.name), "isthing": int(c.isthing)}
        for c in categories
    ]


def segments(columns: Sequence[int], classes: Mapping[int, int]) -> list[dict[str, int]]:
    """The table of a mask made of ``columns``; ``classes`` is {id: category in the files}."""
    return [
        {"id": i, "category_id": classes[i], "iscrowd": 0, "area": HEIGHT * columns.count(i)}
        for i in dict.fromkeys(columns)
        if i
    ]


def flat_json(images: Sequence[Mapping[str, Any]], categories: list) -> dict[str, Any]:
    """A flat panoptic JSON; an image is {id, file_name, png, columns, classes}."""
    size = {"height": HEIGHT, "width": WIDTH}
    return {
        "images": [{"id": i["id"], "file_name": i["file_name"], **size} for i in images],
        "annotations": [
            {
                "image_id": i["id"],
                "file_name": i["png"],
                "segments_info": segments(i["columns"], i["classes"]),
            }
            for i in images
        ],
        "categories": categories,
    }
