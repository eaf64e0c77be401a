"""Reading obj_class.json and meta.json for a check: every fault is told, the rest is kept.

Their forms are in ``vps.io.object_lists``, whose readers stop at the first fault.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from vps.data.check.problems import Problem
from vps.data.json_node import JsonNode
from vps.io import read_json
from vps.structures import InputError

Objects = dict[str, dict[int, JsonNode]]


def read_classes(path: str | os.PathLike, tell: Callable[[Problem], object]) -> Objects:
    """{video: {object number: class}} of an obj_class.json, as far as it can be read."""
    return _read(path, tell, lambda top: top, lambda video: video)


def read_appearances(path: str | os.PathLike, tell: Callable[[Problem], object]) -> Objects:
    """{video: {object number: its entry, with "frames"}} of a meta.json, likewise."""
    return _read(path, tell, lambda top: top["videos"], lambda video: video["objects"])


def read_frames(entry: JsonNode) -> list[str]:
    """The names of the frames of an object of a meta.json."""
    frames = [frame.name() for frame in entry["frames"].elements()]
    if not frames:
        raise entry["frames"].error("the frames in which the object appears")
    return frames


def read_class(node: JsonNode) -> int:
    """A class of an obj_class.json: a whole number, or its digits."""
    text = node.name()
    if not text.isdecimal():
        raise node.error("the number of a class")
    return int(text)


def _read(
    path: str | os.PathLike,
    tell: Callable[[Problem], object],
    videos_of: Callable[[JsonNode], JsonNode],
    objects_of: Callable[[JsonNode], JsonNode],
) -> Objects:
    file = os.fspath(path)
    try:
        videos = list(_members(videos_of(JsonNode(read_json(path), path))))
    except InputError as error:
        tell(Problem("index-unreadable", file, str(error)))
        return {}
    found: Objects = {}
    for video_id, video in videos:
        found[video_id] = {}
        try:
            for key, entry in _members(objects_of(video)):
                if key.isdecimal() and int(key) > 0:
                    found[video_id][int(key)] = entry
                else:
                    error = entry.error("a number of an object, 1 or more, as the name", repr(key))
                    tell(Problem("index-field", file, str(error), video_id))
        except InputError as error:
            tell(Problem("index-field", file, str(error), video_id))
    return found


def _members(node: JsonNode) -> Iterator[tuple[str, JsonNode]]:
    """The fields of an object."""
    if not isinstance(node.value, dict):
        raise node.error("an object")
    return ((key, node[key]) for key in node.value)
