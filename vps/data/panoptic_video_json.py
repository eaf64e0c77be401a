"""Reading a data set with a panoptic JSON as VideoRecords: nested by video, or flat.

Nested (ours and VIPSeg's)                      Flat (Cityscapes-VPS, VIPER)

    <image_root>/<video_id>/<file_name>             <image_root>/<file_name>         pictures
    <panoptic_root>/<video_id>/<file_name>          <panoptic_root>/<file_name>      RGB PNGs

    categories:  [{id, name, isthing}]              categories
    videos:      [{video_id, images: [image]}]      images: [image]
    annotations: [{video_id,                        annotations: [annotation]
                   annotations: [annotation]}]

    image        {id, file_name, width, height}
    annotation   {image_id, file_name, segments_info: [{id, category_id, iscrowd, area}]}

In a PNG id = R + 256 G + 65536 B, 0 = void. In a flat file the image id tells the video
(``vps.io.video_names``). An image that has no annotation is an unlabelled frame. Category ids of
the file are the data set's; those of the records are contiguous. No picture is opened here; that
files exist is checked, with one listing per folder.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from vps.data.folders import MASKS, PICTURES, Folders, MissingFileError
from vps.data.json_node import JsonNode
from vps.data.segments_info import SegmentReader
from vps.io import read_json
from vps.structures import Category, InputError, VideoRecord


def load_panoptic_video_json(
    image_root: str | os.PathLike,
    panoptic_root: str | os.PathLike,
    panoptic_json: str | os.PathLike,
    categories: Sequence[Category],
    *,
    video_of: Callable[[str], str] | None = None,
    spellings: Mapping[str, str] | None = None,
) -> list[VideoRecord]:
    """Read the records of a data set, in the order of the file.

    Args:
        video_of: the video of an image id, for files that may be flat. A nested file is accepted
            as well; its pictures may lie in a folder per video or all in one.
        spellings: {name of a category as the file has it: as ``categories`` has it}.

    Raises:
        InputError: a file is missing, or a field is missing or wrong, or an id or a name appears
            twice; names the file and the field.
    """
    if not os.path.exists(panoptic_json):
        raise InputError(
            f"{panoptic_json} does not exist; was the data set made (datasets/README.md), and does "
            "DETECTRON2_DATASETS name its parent folder?"
        )
    with _garbage_collection_paused():
        top = JsonNode(read_json(panoptic_json), panoptic_json)
        files = _Files(
            Path(image_root), Path(panoptic_root), one_folder_allowed=video_of is not None
        )
        return _read_records(top, files, categories, video_of, spellings or {})


def _read_records(
    top: JsonNode,
    files: _Files,
    categories: Sequence[Category],
    video_of: Callable[[str], str] | None,
    spellings: Mapping[str, str],
) -> list[VideoRecord]:
    if "categories" in top:
        _check_categories(top["categories"], categories, spellings)
    if video_of is None or "videos" in top:
        images = _images_by_video(top["videos"])
        annotations = _annotations_by_video(top["annotations"], images)
    else:
        images = _group(_by_name(top["images"], "id"), video_of)
        annotations = _group(_by_name(top["annotations"], "image_id"), video_of)
    segments = SegmentReader(categories)
    records = []
    for video_id, frames in images.items():
        record = _read_frames(video_id, frames, files)
        _add_annotations(record, annotations.pop(video_id, {}), files, segments)
        records.append(record)
    for nodes in annotations.values():
        for node in nodes.values():
            raise node["image_id"].error("an image id that the field images lists")
    if not records:
        raise top["videos" if "videos" in top else "images"].error("at least one video")
    return records


@contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """Millions of objects are made here that all stay: looking for garbage among them, again and
    again, takes as long as reading them.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def read_categories(panoptic_json: str | os.PathLike) -> list[Category]:
    """Read the field ``categories`` of a panoptic video JSON, for a registration of your own.

    A category without a colour gets one by its position.
    """
    return parse_categories(JsonNode(read_json(panoptic_json), panoptic_json)["categories"])


def parse_categories(listed: JsonNode) -> list[Category]:
    """The categories of an array of ``{id, name, isthing, color}``; ``color`` may be left out."""
    categories = []
    for index, node in enumerate(listed.elements()):
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
    listed: JsonNode, categories: Sequence[Category], spellings: Mapping[str, str]
) -> None:
    """The file may list fewer or more categories, but may not mean others by the same ids."""
    registered = {category.dataset_id: category for category in categories}
    for node in listed.elements():
        category = registered.get(node["id"].whole(least=0))
        if category is None:
            continue  # an error only if a segment has it
        for error in find_other_fields(node, category, spellings):
            raise error


def find_other_fields(
    node: JsonNode, category: Category, spellings: Mapping[str, str]
) -> Iterator[InputError]:
    """An error for each field of a listed category that is not as ``category`` has it."""
    for field, expected in (("name", category.name), ("isthing", category.isthing)):
        if field not in node:
            continue
        value = node[field].value
        if value != expected and not (isinstance(value, str) and spellings.get(value) == expected):
            yield node[field].error(
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


def _group(
    images: dict[str, JsonNode], video_of: Callable[[str], str]
) -> dict[str, dict[str, JsonNode]]:
    """{video id: {image id: node}}, in the order of the file."""
    videos: dict[str, dict[str, JsonNode]] = {}
    for image_id, node in images.items():
        videos.setdefault(video_of(image_id), {})[image_id] = node
    return videos


def _images_by_video(videos: JsonNode) -> dict[str, dict[str, JsonNode]]:
    grouped = {}
    for video_id, video in _by_name(videos, "video_id").items():
        grouped[video_id] = _by_name(video["images"], "id")
        if not grouped[video_id]:
            raise video["images"].error(f"frames of video {video_id!r}")
    return grouped


def _annotations_by_video(
    annotations: JsonNode, videos: Mapping[str, object]
) -> dict[str, dict[str, JsonNode]]:
    grouped = {}
    for video_id, node in _by_name(annotations, "video_id").items():
        if video_id not in videos:
            raise node["video_id"].error("a video that the field videos lists")
        grouped[video_id] = _by_name(node["annotations"], "image_id")
    return grouped


def _read_frames(video_id: str, images: dict[str, JsonNode], files: _Files) -> VideoRecord:
    """A record without labels."""
    first = next(iter(images.values()))
    height, width = first["height"].whole(least=1), first["width"].whole(least=1)
    paths: dict[str, None] = {}
    for image in images.values():
        for field, expected in (("height", height), ("width", width)):
            if image[field].value != expected:
                raise image[field].error(f"{expected} as in the first frame of {video_id!r}")
        path = files.find_picture(video_id, image["file_name"])
        if path in paths:
            raise image["file_name"].error(
                "a file of its own for every image", f"a file_name twice: {path}"
            )
        paths[path] = None
    count = len(images)
    return VideoRecord(
        video_id=video_id,
        height=height,
        width=width,
        length=count,
        file_names=list(paths),
        image_ids=list(images),
        labelled=[False] * count,
        pan_seg_file_names=[None] * count,
        segments_infos=[None] * count,
    )


def _add_annotations(
    record: VideoRecord,
    annotations: dict[str, JsonNode],
    files: _Files,
    segments: SegmentReader,
) -> None:
    """Add the labels to a record, in place."""
    frame_of = {image_id: index for index, image_id in enumerate(record["image_ids"])}
    video_id = record["video_id"]
    segments.begin(video_id)
    for image_id, node in annotations.items():
        if image_id not in frame_of:
            raise node["image_id"].error(f"an image id of video {video_id!r}")
        frame = frame_of[image_id]
        record["segments_infos"][frame] = segments.read(node["segments_info"])
        record["pan_seg_file_names"][frame] = files.find_mask(video_id, node["file_name"])
        record["labelled"][frame] = True


class _Files:
    """Pictures and masks: in a folder per video, or, where that is allowed, all in one."""

    def __init__(self, image_root: Path, panoptic_root: Path, *, one_folder_allowed: bool) -> None:
        self._image_root, self._panoptic_root = image_root, panoptic_root
        self._one_folder_allowed = one_folder_allowed
        self._folders = Folders()
        self._of_video: dict[tuple[Path, str], Path] = {}

    def find_picture(self, video_id: str, file_name: JsonNode) -> str:
        return self._find(self._image_root, video_id, file_name, PICTURES)

    def find_mask(self, video_id: str, file_name: JsonNode) -> str:
        return self._find(self._panoptic_root, video_id, file_name, MASKS)

    def _find(self, root: Path, video_id: str, file_name: JsonNode, endings: Sequence[str]) -> str:
        folder = self._of_video.get((root, video_id))
        if folder is None:
            folder = root / video_id
            if self._one_folder_allowed and not folder.is_dir():
                folder = root
            self._of_video[root, video_id] = folder
        try:
            return self._folders.find(folder, file_name.name(), endings)
        except MissingFileError as error:
            raise file_name.error("a file that exists", error.found) from error
