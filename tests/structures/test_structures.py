"""Ids as colours, and frames that check themselves."""

import numpy as np
import pytest

from vps.structures import (
    MAX_ID,
    Category,
    InputError,
    PanopticFrame,
    Segment,
    category_of,
    ids_to_rgb,
    rgb_to_ids,
    stuff_segment_id,
    thing_segment_id,
)


@pytest.mark.parametrize(
    ("segment_id", "color"),
    [
        (0, (0, 0, 0)),
        (255, (255, 0, 0)),
        (256, (0, 1, 0)),
        (65_536, (0, 0, 1)),
        (2_600_000, (64, 172, 39)),  # 64 + 256 * 172 + 65536 * 39
        (MAX_ID, (255, 255, 255)),
    ],
)
def test_ids_are_colours(segment_id, color):
    assert ids_to_rgb(np.array([[segment_id]])).tolist() == [[list(color)]]
    assert rgb_to_ids(np.array([[color]], dtype=np.uint8)).tolist() == [[segment_id]]


def test_round_trip_over_random_ids():
    ids = np.random.default_rng(0).integers(0, MAX_ID + 1, (50, 70), dtype=np.int64)
    decoded = rgb_to_ids(ids_to_rgb(ids))
    assert decoded.dtype == np.int32 and (decoded == ids).all()


@pytest.mark.parametrize("ids", [np.array([-1]), np.array([MAX_ID + 1]), np.array([1.0])])
def test_what_is_no_id_is_refused(ids):
    with pytest.raises(ValueError, match="expected"):
        ids_to_rgb(ids)


def test_what_is_no_colour_is_refused():
    for array in (np.zeros((2, 2), np.uint8), np.zeros((2, 2, 3), np.int32)):
        with pytest.raises(ValueError, match="expected uint8"):
            rgb_to_ids(array)


def test_model_ids_of_stuff_and_things_never_meet():
    categories = 7
    stuff = {stuff_segment_id(c) for c in range(categories)}
    things = {thing_segment_id(k, categories) for k in range(1000)}
    assert 0 not in stuff | things and not stuff & things and len(things) == 1000


def test_a_frame_refuses_other_types_and_segment_0():
    with pytest.raises(ValueError, match=r"int64 \[2, 2\] for frame f"):
        PanopticFrame("f", np.zeros((2, 2), np.int64), {})
    with pytest.raises(ValueError, match="void"):
        PanopticFrame("f", np.zeros((2, 2), np.int32), {0: Segment(0, False)})


def test_the_class_of_a_segment():
    sky, cat = Category("sky", False, (0, 0, 255), 7), Category("cat", True, (255, 0, 0), 3)
    assert category_of(Segment(1, True), [sky, cat]) is cat
    for wrong in (2, -1):
        with pytest.raises(InputError, match=rf"one of 2 classes \(sky, cat, .*got class {wrong};"):
            category_of(Segment(wrong, True), [sky, cat])
