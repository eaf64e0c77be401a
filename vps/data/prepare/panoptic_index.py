"""Index files of panoptic data sets, written while the videos' tables are read from disk.

Nested (VIPSeg, the project's own): ``videos: [{video_id, images}]``, ``annotations: [{video_id,
annotations}]``. Flat (COCO, Cityscapes-VPS): ``images: [...]``, ``annotations: [...]`` of all
videos. An entry of a video is {"images": [...], "annotations": [...]} in both cases.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vps.io import atomic_write
from vps.structures import Category

VideoEntries = Iterable[tuple[str, Mapping[str, Any]]]


def category_entries(categories: Sequence[Category]) -> list[dict[str, Any]]:
    """The field ``categories`` of an index."""
    return [
        {"id": c.dataset_id, "name": c.name, "isthing": int(c.isthing), "color": list(c.color)}
        for c in categories
    ]


def segments_info(
    ids: np.ndarray, categories: Mapping[int, int], *, crowds: frozenset[int] = frozenset()
) -> list[dict[str, int]]:
    """The table of a frame, in the order of ``categories``.

    Args:
        ids: integers [H, W].
        categories: {segment id: id of its category in the files}; those without a pixel are left
            out.
        crowds: ids of regions of things whose instances are unknown.
    """
    present, counts = np.unique(ids, return_counts=True)
    area = dict(zip(present.tolist(), counts.tolist()))
    return [
        {
            "id": segment_id,
            "category_id": category,
            "iscrowd": int(segment_id in crowds),
            "area": area[segment_id],
        }
        for segment_id, category in categories.items()
        if segment_id in area
    ]


def write_nested_index(path: Path, categories: Sequence[Category], entries: VideoEntries) -> None:
    """Write an index of videos, atomically. ``entries`` is gone through twice."""

    def rows(field: str) -> Iterator[dict[str, Any]]:
        for name, entry in entries:
            if entry[field]:
                yield {"video_id": name, field: entry[field]}

    _write(path, categories, {"videos": rows("images"), "annotations": rows("annotations")})


def write_flat_index(path: Path, categories: Sequence[Category], entries: VideoEntries) -> None:
    """Write an index of images, atomically. ``entries`` is gone through twice."""

    def rows(field: str) -> Iterator[dict[str, Any]]:
        for _, entry in entries:
            yield from entry[field]

    _write(path, categories, {field: rows(field) for field in ("images", "annotations")})


def _write(
    path: Path, categories: Sequence[Category], parts: Mapping[str, Iterator[dict[str, Any]]]
) -> None:
    with atomic_write(path, "w") as file:
        file.write(f'{{"categories": {json.dumps(category_entries(categories))}')
        for key, rows in parts.items():
            file.write(f',\n"{key}": [')
            for number, row in enumerate(rows):
                file.write(f"{',' if number else ''}\n{json.dumps(row)}")
            file.write("]")
        file.write("}\n")
