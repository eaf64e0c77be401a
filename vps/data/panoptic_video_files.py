"""Writing a data set in the panoptic video layout, the one that ``panoptic_video_json`` reads.

    <root>/images/<video_id>/<frame>.jpg
    <root>/panoptic/<video_id>/<frame>.png       id = R + 256 G + 65536 B, 0 = void
    <root>/panoptic.json                         categories, videos, annotations

An image without an entry among the annotations is an unlabelled frame.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from vps.io import write_json
from vps.structures import Category, InputError, PanopticFrame, category_of, ids_to_rgb

IMAGES, PANOPTIC, INDEX = "images", "panoptic", "panoptic.json"


class SourceFrame(NamedTuple):
    """A frame to write: its name; uint8 [H, W, 3] RGB, or the path of a picture to copy as it is;
    and its labels, if it has any.
    """

    frame_id: str
    image: np.ndarray | os.PathLike
    truth: PanopticFrame | None


class VideoEntry(NamedTuple):
    """What ``panoptic.json`` says of one video."""

    video: dict[str, Any]
    annotations: dict[str, Any]


def write_video(
    root: str | os.PathLike,
    video_id: str,
    frames: Iterable[SourceFrame],
    categories: Sequence[Category],
) -> VideoEntry:
    """Write pictures and panoptic PNGs of one video; the entry is for ``write_index``.

    Segments are listed in the order of their ids; ``area`` counts their pixels. Nothing here is
    atomic by itself: write into ``vps.io.atomic_folder``.
    """
    images, panoptic = Path(root, IMAGES, video_id), Path(root, PANOPTIC, video_id)
    images.mkdir(parents=True)
    panoptic.mkdir(parents=True)
    return write_frames(images, panoptic, video_id, frames, categories)


def write_frames(
    images: Path,
    panoptic: Path,
    video_id: str,
    frames: Iterable[SourceFrame],
    categories: Sequence[Category],
) -> VideoEntry:
    """As ``write_video``, into two folders that are there already."""
    listed, annotations = [], []
    for frame_id, image, truth in frames:
        file_name, (height, width) = _write_image(images, frame_id, image)
        listed.append({"id": frame_id, "file_name": file_name, "width": width, "height": height})
        if truth is None:
            continue
        if truth.ids.shape != (height, width):
            raise InputError(
                f"expected labels of {height}x{width} as the image {images / file_name} has, got "
                f"{truth.ids.shape[0]}x{truth.ids.shape[1]}"
            )
        mask_name = f"{frame_id}.png"
        Image.fromarray(ids_to_rgb(truth.ids)).save(panoptic / mask_name, compress_level=6)
        infos = _segments_info(truth, categories)
        annotations.append({"image_id": frame_id, "file_name": mask_name, "segments_info": infos})
    return VideoEntry(
        {"video_id": video_id, "images": listed},
        {"video_id": video_id, "annotations": annotations},
    )


def write_index(
    root: str | os.PathLike, categories: Sequence[Category], entries: Iterable[VideoEntry]
) -> None:
    """Write ``panoptic.json`` for the videos that ``write_video`` wrote."""
    entries = list(entries)
    content = {
        "categories": [
            {
                "id": category.dataset_id,
                "name": category.name,
                "isthing": int(category.isthing),
                "color": list(category.color),
            }
            for category in categories
        ],
        "videos": [entry.video for entry in entries],
        "annotations": [entry.annotations for entry in entries],
    }
    write_json(Path(root, INDEX), content)


def _write_image(
    folder: Path, frame_id: str, image: np.ndarray | os.PathLike
) -> tuple[str, tuple[int, int]]:
    """Write or copy a picture; its file name and (height, width)."""
    if isinstance(image, np.ndarray):
        # No chroma subsampling: it would smear the colours of small things over their rims.
        Image.fromarray(image).save(folder / f"{frame_id}.jpg", quality=95, subsampling=0)
        return f"{frame_id}.jpg", image.shape[:2]
    file_name = f"{frame_id}{Path(image).suffix}"
    shutil.copyfile(image, folder / file_name)
    with Image.open(image) as picture:
        return file_name, (picture.height, picture.width)


def _segments_info(frame: PanopticFrame, categories: Sequence[Category]) -> list[dict[str, Any]]:
    present, counts = np.unique(frame.ids, return_counts=True)
    area = dict(zip(present.tolist(), counts.tolist()))
    return [
        {
            "id": segment_id,
            "category_id": category_of(segment, categories).dataset_id,
            "iscrowd": int(segment.iscrowd),
            "area": area[segment_id],
        }
        for segment_id, segment in sorted(frame.segments.items())
    ]
