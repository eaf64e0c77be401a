"""Panoptic JSON files of every official layout, read into small tables.

Three layouts are known; which one it is shows in the file:

* nested (VIPSeg, our own results): ``annotations: [{video_id, annotations: [frame, ...]}]``, with
  ``videos: [{video_id, images: [...]}]`` beside them;
* flat (COCO panoptic, Cityscapes-VPS, VIPER): ``annotations: [frame, ...]``, ``images: [...]``;
* either of them as a prediction, where names may be left out and the order says which frame is
  meant (Cityscapes-VPS: ``annotations: [{segments_info}]``).

A frame is ``{image_id, file_name, segments_info: [{id, category_id, iscrowd, area}]}``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from vps.evaluation.official.tasks import NO_AREA
from vps.io.json_stream import read_members
from vps.structures import MAX_ID, Category, InputError

_MAX_NUMBER = (1 << 31) - 1


class FrameListing(NamedTuple):
    """What a JSON says of one frame. ``segments`` int32 [S, 4] are the columns of ``FrameTask``,
    with the data set's own category ids.
    """

    image_id: str | None
    file_name: str | None
    segments: np.ndarray


class VideoListing(NamedTuple):
    """One element of a nested file's annotations; a flat file is one such list without a name."""

    video_id: str | None
    frames: list[FrameListing]


class ImageInfo(NamedTuple):
    """What the list of images says of one: its size (height, width), where it is stated."""

    size: tuple[int, int] | None
    file_name: str | None


@dataclass
class PanopticListing:
    """A panoptic JSON.

    Attributes:
        path: the file.
        nested: whether annotations are grouped by video.
        videos: the annotations, in the order of the file.
        images: {video id, or "" in a flat file: {image id: ImageInfo}}, labelled or not.
        categories: in the order of the file; None where the file has none.
    """

    path: str
    nested: bool = False
    videos: list[VideoListing] = field(default_factory=list)
    images: dict[str, dict[str, ImageInfo]] = field(default_factory=dict)
    categories: list[Category] | None = None

    @property
    def frames(self) -> Iterator[FrameListing]:
        return (frame for video in self.videos for frame in video.frames)


def read_panoptic_json(path: str | os.PathLike) -> PanopticListing:
    """Read a panoptic JSON of any layout.

    Raises:
        InputError: the file cannot be read, lacks a field, or a field is of the wrong type or out
            of range; names the file and the place in it.
    """
    path = os.fspath(path)
    listing = PanopticListing(path)
    categories: list[Category] = []
    lists = set()
    flat: list[FrameListing] = []
    for key, index, value in read_members(path):
        if key not in ("annotations", "videos", "images", "categories"):
            continue
        if index is None:
            if value != []:
                raise InputError(f"expected a list as {key} in {path}, got {_kind(value)}")
            if key in lists:
                raise InputError(f"expected one list {key} in {path}, got a second one")
            lists.add(key)
            continue
        place = _Place(path, f"{key}[{index}]")
        entry = place.checked(value, dict)
        if key == "categories":
            categories.append(_category(entry, place))
        elif key == "videos":
            images = place.get(entry, "images", list)
            name = place.name(entry, "video_id")
            known = listing.images.setdefault(name, {})
            for number, image in enumerate(images):
                _add_image(known, image, place / f"images[{number}]")
        elif key == "images":
            _add_image(listing.images.setdefault("", {}), entry, place)
        elif _is_nested(entry, index, listing, place):
            video_id = place.name(entry, "video_id", None)
            if video_id is not None:
                place = _Place(path, f"{place.where} (video {video_id})")
            frames = [
                _frame(frame, place / f"annotations[{number}]")
                for number, frame in enumerate(place.get(entry, "annotations", list))
            ]
            listing.videos.append(VideoListing(video_id, frames))
        else:
            flat.append(_frame(entry, place))
    if "annotations" not in lists:
        raise InputError(
            f"expected a panoptic JSON with the lists annotations and categories in {path}, got "
            f"{'only ' + ', '.join(sorted(lists)) if lists else 'neither'}"
        )
    if flat:
        listing.videos = [VideoListing(None, flat)]
    if "categories" in lists:
        _check_distinct([c.dataset_id for c in categories], "category id", path)
        listing.categories = categories
    return listing


def _is_nested(entry: dict, index: int, listing: PanopticListing, place: _Place) -> bool:
    nested = "annotations" in entry
    if index == 0:
        listing.nested = nested
    elif nested != listing.nested:
        raise place.error("videos and single frames side by side", "either the one or the other")
    return nested


def _category(entry: dict, place: _Place) -> Category:
    isthing = place.get(entry, "isthing", (bool, int))
    if isthing not in (0, 1):
        raise place.error(f"isthing {isthing}", "0 or 1")
    dataset_id = place.integer(entry, "id", 0)
    return Category(
        str(entry.get("name", dataset_id)), bool(isthing), _color(entry.get("color")), dataset_id
    )


def _color(value: Any) -> tuple[int, int, int]:
    """A colour is only for show: what is none becomes black."""
    good = isinstance(value, list) and len(value) == 3 and all(type(v) is int for v in value)
    return tuple(value) if good else (0, 0, 0)


def _add_image(known: dict[str, ImageInfo], image: Any, place: _Place) -> None:
    image = place.checked(image, dict)
    image_id = place.name(image, "id")
    if image_id in known:
        raise place.error(f"image id {image_id} a second time", "every image once")
    size = None
    if "width" in image and "height" in image:
        size = (place.integer(image, "height", 1), place.integer(image, "width", 1))
    known[image_id] = ImageInfo(size, place.name(image, "file_name", None))


def _frame(entry: Any, place: _Place) -> FrameListing:
    entry = place.checked(entry, dict)
    image_id = place.name(entry, "image_id", None)
    if image_id is not None:
        place = _Place(place.path, f"{place.where} (image {image_id})")
    segments = place.get(entry, "segments_info", list)
    table = _plain_table(segments)
    if table is None:
        table = _checked_table(segments, place)
    return FrameListing(image_id, place.name(entry, "file_name", None), table)


_COLUMNS = itemgetter("id", "category_id", "iscrowd", "area")
_LOWEST, _HIGHEST = np.array([(1, 0, 0, 0), (MAX_ID, _MAX_NUMBER, 1, _MAX_NUMBER)])


def _plain_table(segments: list) -> np.ndarray | None:
    """The table of segments that have all four fields as integers in range, as nearly all have; a
    large file is read in a third of the time. None where somebody has to look more closely.
    """
    try:
        rows = [_COLUMNS(segment) for segment in segments]
        if not rows or any(type(value) is not int for row in rows for value in row):
            return None
        table = np.array(rows, np.int64)
    except (KeyError, TypeError, IndexError, OverflowError):
        return None
    in_range = (table >= _LOWEST).all() and (table <= _HIGHEST).all()
    return table.astype(np.int32) if in_range else None


def _checked_table(segments: list, place: _Place) -> np.ndarray:
    """The table of segments, field by field; an error names the place."""
    table = np.empty((len(segments), 4), np.int32)
    for row, segment in enumerate(segments):
        inner = place / f"segments_info[{row}]"
        segment = inner.checked(segment, dict)
        table[row] = (
            inner.integer(segment, "id", 1, MAX_ID),
            inner.integer(segment, "category_id", 0),
            inner.integer(segment, "iscrowd", 0, 1, default=0),
            inner.integer(segment, "area", 0, default=NO_AREA),
        )
    return table


class _Place(NamedTuple):
    """Where in which file a value stands, for the errors."""

    path: str
    where: str

    def __truediv__(self, inner: str) -> _Place:
        return _Place(self.path, f"{self.where}.{inner}")

    def error(self, got: str, expected: str) -> InputError:
        return InputError(f"expected {expected} in {self.path} at {self.where}, got {got}")

    def checked(self, value: Any, kind: type | tuple[type, ...]) -> Any:
        if not isinstance(value, kind):
            expected = {dict: "an object", list: "a list", str: "a text"}
            raise self.error(_kind(value), expected.get(kind, "a number"))
        return value

    def get(self, entry: dict, key: str, kind: type | tuple[type, ...]) -> Any:
        if key not in entry:
            names = ", ".join(map(repr, entry)) or "nothing"
            raise self.error(names, f"the field {key!r}")
        return _Place(self.path, f"{self.where}.{key}").checked(entry[key], kind)

    def integer(
        self, entry: dict, key: str, low: int, high: int = _MAX_NUMBER, default: int | None = None
    ) -> int:
        """An integer in low..high; numbers such as 3.0 count (some writers make areas so)."""
        if key not in entry and default is not None:
            return default
        value = self.get(entry, key, (int, float))
        if isinstance(value, bool) and key != "iscrowd":
            raise (self / key).error(_kind(value), "an integer")
        if value != value or abs(value) > _MAX_NUMBER or value != int(value):
            raise (self / key).error(str(value)[:40], "an integer")
        if not low <= value <= high:
            above = f"in {low}..{high}" if high < _MAX_NUMBER else f"of {low} or more"
            raise (self / key).error(str(value)[:40], f"an integer {above}")
        return int(value)

    def name(self, entry: dict, key: str, *default: None) -> str | None:
        """A text or an integer, as text that is safe as the name of a file."""
        if default and entry.get(key) is None:
            return None
        value = self.get(entry, key, (str, int))
        if isinstance(value, bool):
            raise (self / key).error(_kind(value), "a name")
        try:
            text = str(value)
            text.encode()
        except ValueError as error:
            raise (self / key).error("text that no file name can have", "a name") from error
        parts = [part for part in text.split("/") if part not in ("", ".")]
        if not parts or text[0] == "/" or ".." in parts or "\0" in text or len(text) > 1000:
            raise (self / key).error(repr(text[:80]), "a name inside the data set's folder")
        return text


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    if value is None:
        return "null"
    return names.get(type(value), f"the number {str(value)[:40]}")


def _check_distinct(values: list, what: str, path: str) -> None:
    seen = set()
    for value in values:
        if value in seen:
            raise InputError(f"expected every {what} once in {path}, got {value} twice")
        seen.add(value)
