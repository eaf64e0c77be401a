"""Reading a data set in the panoptic video layout (ours and VIPSeg's) as VideoRecords.

    <image_root>/<video_id>/<file_name>           pictures
    <panoptic_root>/<video_id>/<file_name>        RGB PNGs, id = R + 256 G + 65536 B, 0 = void
    <panoptic_json>
        categories:  [{id, name, isthing}]
        videos:      [{video_id, images: [{id, file_name, width, height}]}]
        annotations: [{video_id, annotations: [{image_id, file_name, segments_info: [
                         {id, category_id, iscrowd, area}]}]}]

An image that has no annotation is an unlabelled frame. Category ids of the file are the data set's;
those of the records are contiguous. No picture is opened here; that files exist is checked, with
one listing per folder.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vps.data.json_node import JsonNode
from vps.io import read_json
from vps.structures import Category, InputError, VideoRecord

_PICTURES = (".jpg", ".jpeg", ".png")


def load_panoptic_video_json(
    image_root: str | os.PathLike,
    panoptic_root: str | os.PathLike,
    panoptic_json: str | os.PathLike,
    categories: Sequence[Category],
) -> list[VideoRecord]:
    """Read the records of a data set, in the order of the file.

    Raises:
        InputError: a file is missing, or a field is missing or wrong, or an id or a name appears
            twice; names the file and the field.
    """
    if not os.path.exists(panoptic_json):
        raise InputError(
            f"{panoptic_json} does not exist; was the data set made (datasets/README.md), and does "
            "DETECTRON2_DATASETS name its parent folder?"
        )
    top = JsonNode(read_json(panoptic_json), panoptic_json)
    by_dataset_id = {category.dataset_id: index for index, category in enumerate(categories)}
    if "categories" in top:
        _check_categories(top["categories"], categories, by_dataset_id)
    annotations = _by_name(top["annotations"], "video_id")
    folders = _Folders()
    records = []
    for video_id, video in _by_name(top["videos"], "video_id").items():
        record = _read_frames(video, video_id, Path(image_root), folders)
        if video_id in annotations:
            _add_annotations(
                record,
                annotations.pop(video_id)["annotations"],
                Path(panoptic_root),
                folders,
                categories,
                by_dataset_id,
            )
        records.append(record)
    for node in annotations.values():
        raise node["video_id"].error("a video that the field videos lists")
    if not records:
        raise top["videos"].error("at least one video")
    return records


def read_categories(panoptic_json: str | os.PathLike) -> list[Category]:
    """Read the field ``categories`` of a panoptic video JSON, for a registration of your own.

    A category without a colour gets one by its position.
    """
    categories = []
    for index, node in enumerate(
        JsonNode(read_json(panoptic_json), panoptic_json)["categories"].elements()
    ):
        if "color" in node:
            color = tuple(c.whole(least=0) for c in node["color"].elements())
        else:
            color = tuple((index + 1) * step % 256 for step in (97, 57, 151))
        if len(color) != 3 or max(color) > 255:
            raise node["color"].error("three numbers in 0..255")
        categories.append(
            Category(node["name"].name(), node["isthing"].flag(), color, node["id"].whole(least=0))
        )
    return categories


def _check_categories(
    listed: JsonNode, categories: Sequence[Category], by_dataset_id: dict[int, int]
) -> None:
    """The file may list fewer or more categories, but may not mean others by the same ids."""
    for node in listed.elements():
        index = by_dataset_id.get(node["id"].whole(least=0))
        if index is None:
            continue  # an error only if a segment has it
        category = categories[index]
        for field, expected in (("name", category.name), ("isthing", category.isthing)):
            if field in node and node[field].value != expected:
                raise node[field].error(
                    f"{expected!r}, as category {category.dataset_id} was registered"
                )


def _by_name(nodes: JsonNode, field: str) -> dict[str, JsonNode]:
    """The elements of an array by one of their fields, which no two may share."""
    named: dict[str, JsonNode] = {}
    for node in nodes.elements():
        name = node[field].name()
        if name in named:
            raise node[field].error("a name that appears once", f"{name!r} a second time")
        named[name] = node
    return named


def _read_frames(
    video: JsonNode, video_id: str, image_root: Path, folders: _Folders
) -> VideoRecord:
    """A record without labels."""
    images = _by_name(video["images"], "id")
    if not images:
        raise video["images"].error(f"frames of video {video_id!r}")
    first = next(iter(images.values()))
    height, width = first["height"].whole(least=1), first["width"].whole(least=1)
    file_names = []
    for image in images.values():
        for field, expected in (("height", height), ("width", width)):
            if image[field].value != expected:
                raise image[field].error(f"{expected} as in the first frame of {video_id!r}")
        file_names.append(folders.find(image_root / video_id, image["file_name"], _PICTURES))
    if len(set(file_names)) < len(file_names):
        raise video["images"].error("a file of its own for every image", "a file_name twice")
    count = len(images)
    return VideoRecord(
        video_id=video_id,
        height=height,
        width=width,
        length=count,
        file_names=file_names,
        image_ids=list(images),
        labelled=[False] * count,
        pan_seg_file_names=[None] * count,
        segments_infos=[None] * count,
    )


def _add_annotations(
    record: VideoRecord,
    annotations: JsonNode,
    panoptic_root: Path,
    folders: _Folders,
    categories: Sequence[Category],
    by_dataset_id: dict[int, int],
) -> None:
    """Add the labels to a record, in place."""
    frame_of = {image_id: index for index, image_id in enumerate(record["image_ids"])}
    category_of_segment: dict[int, int] = {}
    for image_id, node in _by_name(annotations, "image_id").items():
        if image_id not in frame_of:
            raise node["image_id"].error(f"an image id of video {record['video_id']!r}")
        infos: dict[int, dict[str, Any]] = {}
        for segment in node["segments_info"].elements():
            info = _read_segment(segment, categories, by_dataset_id)
            if info["id"] in infos:
                raise segment["id"].error("ids that appear once in a frame", f"{info['id']} again")
            if (
                category_of_segment.setdefault(info["id"], info["category_id"])
                != info["category_id"]
            ):
                raise segment["category_id"].error(
                    f"one category for segment {info['id']} in all of video {record['video_id']!r}"
                )
            infos[info["id"]] = info
        frame = frame_of[image_id]
        folder = panoptic_root / record["video_id"]
        record["pan_seg_file_names"][frame] = folders.find(folder, node["file_name"], (".png",))
        record["segments_infos"][frame] = list(infos.values())
        record["labelled"][frame] = True


def _read_segment(
    node: JsonNode, categories: Sequence[Category], by_dataset_id: dict[int, int]
) -> dict[str, Any]:
    category = by_dataset_id.get(node["category_id"].whole(least=0))
    if category is None:
        raise node["category_id"].error(f"one of the category ids {sorted(by_dataset_id)}")
    info = {
        "id": node["id"].whole(least=1),
        "category_id": category,
        "isthing": categories[category].isthing,
        "iscrowd": "iscrowd" in node and node["iscrowd"].flag(),
    }
    if "area" in node:
        info["area"] = node["area"].whole(least=0)
    return info


class _Folders:
    """Finds files with one listing per folder: asking for each file is slow on network disks."""

    def __init__(self) -> None:
        self._names: dict[str, frozenset[str]] = {}

    def find(self, folder: Path, file_name: JsonNode, endings: Sequence[str]) -> str:
        """Path of the file that a field names.

        VIPSeg gives pictures the names of their masks: another of ``endings`` will do.
        """
        path = folder / file_name.name()
        parent = str(path.parent)
        if parent not in self._names:
            try:
                self._names[parent] = frozenset(os.listdir(parent))
            except OSError as error:
                problem = f"the folder {parent}, which cannot be listed: {error.strerror}"
                raise file_name.error("a file that exists", problem) from error
        for name in (path.name, *(path.stem + ending for ending in endings)):
            if name in self._names[parent]:
                return os.path.join(parent, name)
        raise file_name.error("a file that exists", f"{path}, which does not")
