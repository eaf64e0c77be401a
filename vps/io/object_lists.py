"""The lists of videos and objects that come with data sets of video object segmentation.

ImageSets/<year>/<split>.txt   DAVIS: a sequence per line, or, as in 2016, paths of frames
obj_class.json                 VIPOSeg: {video: {object number: class}}
meta.json                      YouTube-VOS, VIPOSeg: {"videos": {video: {"objects":
                               {object number: {"frames": [name, ...], "category": name}}}}}
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from vps.io.files import read_json
from vps.structures import InputError


class ObjectEntry(NamedTuple):
    """An object of a meta.json: the names of the frames in which it appears, and of its class,
    where that is stated.
    """

    frames: tuple[str, ...]
    category: str | None

    @property
    def first(self) -> str:
        """Its first frame, in which its mask is given."""
        return min(self.frames)


def read_sequences(path: str | os.PathLike) -> list[str]:
    """Read the names of sequences, one per line; or, as DAVIS 2016 has it, paths of frames.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the list of sequences {path}: {error}") from error
    names: dict[str, None] = {}
    for line in lines:
        words = line.split()
        name = Path(words[0]).parts[-2:][0] if words and "/" in words[0] else line.strip()
        if name:
            names[name] = None
    return list(names)


def read_object_classes(path: str | os.PathLike) -> dict[str, dict[int, int]]:
    """Read {video: {object number: class}} of an obj_class.json; its keys and values may be text.

    Raises:
        InputError: the file cannot be read or is not as expected; names the place.
    """
    content = _object(read_json(path), path, "")
    return {
        video: {
            _number(number, path, f"{video}"): _number(value, path, f"{video}.{number}")
            for number, value in _object(objects, path, video).items()
        }
        for video, objects in content.items()
    }


def read_object_frames(path: str | os.PathLike) -> dict[str, dict[int, ObjectEntry]]:
    """Read {video: {object number: its entry}} of a meta.json.

    Raises:
        InputError: the file cannot be read or is not as expected; names the place.
    """
    videos = _object(_object(read_json(path), path, "").get("videos"), path, "videos")
    result: dict[str, dict[int, ObjectEntry]] = {}
    for video, entry in videos.items():
        where = f"videos.{video}.objects"
        objects = _object(_object(entry, path, f"videos.{video}").get("objects"), path, where)
        result[video] = {}
        for number, about in objects.items():
            frames = _object(about, path, f"{where}.{number}").get("frames")
            if not isinstance(frames, list) or not frames:
                raise InputError(
                    f"expected a list of frames in {path} at {where}.{number}.frames, got none"
                )
            category = about.get("category")
            result[video][_number(number, path, where)] = ObjectEntry(
                tuple(map(str, frames)), None if category is None else str(category)
            )
    return result


def _object(value: Any, path: str | os.PathLike, where: str) -> dict:
    if not isinstance(value, dict):
        at = f" at {where}" if where else ""
        raise InputError(f"expected an object in {path}{at}, got {type(value).__name__}")
    return value


def _number(value: Any, path: str | os.PathLike, where: str) -> int:
    try:
        if isinstance(value, bool | float):
            raise ValueError
        return int(value)
    except (ValueError, TypeError):
        raise InputError(
            f"expected a number in {path} at {where}, got {str(value)[:40]!r}"
        ) from None
