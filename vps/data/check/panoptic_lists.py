"""Reading a panoptic JSON for a check: what it lists, and every fault of it. No other file is
looked for.

The file is read piece by piece, once for what is listed and once for the labels, so that memory
does not follow the size of the annotations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from vps.data.check.plan import SegmentRow
from vps.data.check.problems import Problem
from vps.data.json_node import JsonNode
from vps.data.panoptic_video_json import find_other_fields
from vps.io.json_stream import read_members
from vps.structures import Category, InputError


class ListedImage(NamedTuple):
    """What the index says of a picture; ``size`` (height, width) None: nothing that can be used."""

    file_name: str
    size: tuple[int, int] | None


class ListedLabel(NamedTuple):
    """What the index says of a label; ``segments`` None: its table cannot be read."""

    file_name: str
    segments: tuple[SegmentRow, ...] | None


class PanopticLists:
    """What a panoptic JSON lists.

    Attributes:
        videos: {video id: {image id: ListedImage}}, after ``read_lists``.
        problems: what was found and not yet taken.
    """

    def __init__(
        self,
        path: str,
        categories: Sequence[Category],
        *,
        video_of: Callable[[str], str] | None,
        spellings: Mapping[str, str],
    ) -> None:
        """Arguments as of ``vps.data.panoptic_video_json.load_panoptic_video_json``."""
        self.videos: dict[str, dict[str, ListedImage]] = {}
        self.problems: list[Problem] = []
        self._path = path
        self._categories = {category.dataset_id: category for category in categories}
        self._video_of = video_of
        self._spellings = spellings

    def take_problems(self) -> Iterator[Problem]:
        """The problems that were found since the last call."""
        found, self.problems = self.problems, []
        yield from found

    def tell(
        self, kind: str, message: object, *, file: str | None = None,
        video_id: str | None = None, frame_id: str | None = None,
    ) -> None:  # fmt: skip
        """Add a problem, of the JSON unless ``file`` is another."""
        self.problems.append(Problem(kind, file or self._path, str(message), video_id, frame_id))

    def read_lists(self) -> None:
        """Read categories, videos and images.

        Raises:
            InputError: the file as a whole cannot be read.
        """
        kinds = set()
        for key, index, value in read_members(self._path):
            kinds.add(key)
            if index is None:
                continue
            node = _element(self._path, key, index, value)
            try:
                if key == "categories":
                    self._check_category(node)
                elif key == "videos":
                    self._add_video(node)
                elif key == "images" and self._video_of is not None:
                    image_id = node["id"].name()
                    self._add_image(self._video_of(image_id), node)
            except InputError as error:
                self.tell("index-field", error)
        listed = {"videos"} if self._video_of is None else {"videos", "images"}
        for wanted in (listed, {"annotations"}):
            if not wanted & kinds:
                self.tell(
                    "index-field",
                    f"expected the list {' or '.join(sorted(wanted))} in {self._path}, got only "
                    f"{', '.join(sorted(kinds)) or 'nothing'}",
                )
        if not self.videos and listed & kinds:
            self.tell("video-empty", f"expected at least one video in {self._path}, got none")

    def _check_category(self, node: JsonNode) -> None:
        category = self._categories.get(node["id"].whole(least=0))
        if category is None:
            return  # an error only if a segment has it
        for error in find_other_fields(node, category, self._spellings):
            self.tell("categories-differ", error)

    def _add_video(self, node: JsonNode) -> None:
        video_id = node["video_id"].name()
        if video_id in self.videos:
            error = node["video_id"].error("a video that is listed once", f"{video_id!r} again")
            self.tell("video-twice", error, video_id=video_id)
            return
        self.videos[video_id] = {}
        for image in node["images"].elements():
            try:
                self._add_image(video_id, image)
            except InputError as error:
                self.tell("index-field", error, video_id=video_id)
        if not self.videos[video_id]:
            error = node["images"].error(f"frames of video {video_id!r}")
            self.tell("video-empty", error, video_id=video_id)

    def _add_image(self, video_id: str, node: JsonNode) -> None:
        images = self.videos.setdefault(video_id, {})
        image_id = node["id"].name()
        if image_id in images:
            error = node["id"].error("an image that is listed once", f"{image_id!r} again")
            self.tell("frame-twice", error, video_id=video_id, frame_id=image_id)
            return
        file_name = node["file_name"].name()
        size = None
        try:
            size = node["height"].whole(least=1), node["width"].whole(least=1)
        except InputError as error:
            self.tell("index-field", error, video_id=video_id, frame_id=image_id)
        images[image_id] = ListedImage(file_name, size)

    def read_labels(self) -> Iterator[tuple[str, dict[str, ListedLabel]]]:
        """Read the labels, {image id: ListedLabel}, of one video after the other; each video comes
        once, those of a flat file at the end.

        Raises:
            InputError: as ``read_lists``.
        """
        flat: dict[str, dict[str, ListedLabel]] = {}
        done: set[str] = set()
        for key, index, value in read_members(self._path):
            if key != "annotations" or index is None:
                continue
            node = _element(self._path, key, index, value)
            try:
                if "annotations" not in node and self._video_of is not None:
                    video_id = self._video_of(node["image_id"].name())
                    self._add_label(video_id, node, flat.setdefault(video_id, {}))
                    continue
                video_id = node["video_id"].name()
                if video_id not in self.videos:
                    error = node["video_id"].error("a video that the list of videos has")
                    self.tell("video-unknown", error, video_id=video_id)
                    continue
                if video_id in done:
                    error = node["video_id"].error("labels of a video once", f"{video_id!r} again")
                    self.tell("video-twice", error, video_id=video_id)
                    continue
                done.add(video_id)
                labels: dict[str, ListedLabel] = {}
                for frame in node["annotations"].elements():
                    try:
                        self._add_label(video_id, frame, labels)
                    except InputError as error:
                        self.tell("index-field", error, video_id=video_id)
            except InputError as error:
                self.tell("index-field", error)
                continue
            yield video_id, labels
        yield from flat.items()

    def _add_label(self, video_id: str, node: JsonNode, labels: dict[str, ListedLabel]) -> None:
        image_id = node["image_id"].name()
        if image_id in labels:
            error = node["image_id"].error("an image that is labelled once", f"{image_id!r} again")
            self.tell("frame-twice", error, video_id=video_id, frame_id=image_id)
            return
        file_name = node["file_name"].name()
        segments = []
        try:
            rows = list(node["segments_info"].elements())
        except InputError as error:
            self.tell("index-field", error, video_id=video_id, frame_id=image_id)
            rows, segments = [], None
        for row in rows:
            try:
                segment = _read_segment(row)
                if segments is not None:
                    segments.append(segment)
            except InputError as error:
                self.tell("index-field", error, video_id=video_id, frame_id=image_id)
                segments = None  # half a table would make pixels look wrong that are right
        table = None if segments is None else tuple(segments)
        labels[image_id] = ListedLabel(file_name, table)


def _element(path: str, key: str, index: int, value: object) -> JsonNode:
    """An element of a list at the top of a file."""
    above = JsonNode(None, path, parent=JsonNode(None, path), key=key)
    return JsonNode(value, path, parent=above, key=index)


def _read_segment(node: JsonNode) -> SegmentRow:
    """A row of a table; ids may be any whole numbers here, they are judged later."""
    area = node["area"].whole(least=0) if "area" in node else None
    if "iscrowd" in node:
        node["iscrowd"].flag()
    segment_id = node["id"].whole(least=-(2**63))
    return SegmentRow(segment_id, node["category_id"].whole(least=0), area)
