"""The quick reader of segments accepts only what the careful one does, and reads it alike."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from vps.data.json_node import JsonNode
from vps.data.segments_info import SegmentReader
from vps.data.shapes_world import SHAPES_CATEGORIES
from vps.structures import InputError

PLAIN = {"id": 7, "category_id": 2, "iscrowd": 0, "area": 5}

# changes to one segment or the whole list; None where the outcome is an error
VALUES = [0, 1, 1.0, 2.0, True, False, -1, 99, "1", None, [], {}, 2**31]
FIELDS = ["id", "category_id", "iscrowd", "area"]


def read_both(segments: Any) -> tuple[Any, Any]:
    """What ``read`` gives, and what the careful reader alone gives; errors as their sentences."""
    outcomes = []
    for method in ("read", "_read_carefully"):
        reader = SegmentReader(SHAPES_CATEGORIES)
        reader.begin("v")
        node = JsonNode({"segments_info": copy.deepcopy(segments)}, "file.json")["segments_info"]
        try:
            infos = getattr(reader, method)(node)
            # repr tells True from 1 and 1.0
            outcomes.append([sorted((k, repr(v)) for k, v in info.items()) for info in infos])
        except InputError as error:
            outcomes.append(str(error))
    return outcomes[0], outcomes[1]


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_any_value_in_any_field(field: str, value: Any):
    both, careful = read_both([{**PLAIN, "id": 3}, {**PLAIN, field: value}])
    assert both == careful


@pytest.mark.parametrize("field", FIELDS)
def test_any_field_missing(field: str):
    segment = {key: value for key, value in PLAIN.items() if key != field}
    both, careful = read_both([segment])
    assert both == careful
    assert isinstance(both, str) == (field in ("id", "category_id"))


@pytest.mark.parametrize(
    ("segments", "error"),
    [
        ([PLAIN, PLAIN], "ids that appear once in a frame"),
        ([PLAIN, {**PLAIN, "category_id": 3}], "ids that appear once in a frame"),
        ([PLAIN, 5], "an object"),
        ({}, "an array"),
        (None, "an array"),
        ([None], "an object"),
        ([], None),
    ],
)
def test_lists(segments: Any, error: str | None):
    both, careful = read_both(segments)
    assert both == careful
    assert (error in both) if error else (both == [])


def test_a_track_keeps_its_category_within_a_video_alone():
    reader = SegmentReader(SHAPES_CATEGORIES)
    other = {**PLAIN, "category_id": 3}
    reader.begin("a")
    reader.read(JsonNode([PLAIN], "file.json"))
    with pytest.raises(InputError, match="one category for segment 7 in all of video 'a'"):
        reader.read(JsonNode([other], "file.json"))
    reader.begin("b")
    assert reader.read(JsonNode([other], "file.json"))[0]["category_id"] == 2


def test_the_plain_form_is_read_quickly():
    """With and without the fields that may be left out."""
    reader = SegmentReader(SHAPES_CATEGORIES)
    short = {key: PLAIN[key] for key in ("id", "category_id")}
    for segment in (PLAIN, short):
        assert reader._read_quickly([segment]) is not None
