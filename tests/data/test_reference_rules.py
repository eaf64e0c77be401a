"""What a clip of references shows: enough, nothing that is not given, and not too much."""

from __future__ import annotations

import numpy as np
import pytest

from vps.data.clip_sampling import make_clip_sampler
from vps.data.reference_rules import ReferenceRules, count_areas, keep_ids
from vps.structures import InputError, Segment

SEQUENCE = make_clip_sampler("sequence", length=3, max_gap=2, reverse=True)


def choose(rules: ReferenceRules, areas: list[int], objects: list[set[int]], target: int, seed=0):
    """Frames of a video in which frame t has ``areas[t]`` labelled pixels and ``objects[t]``."""
    asked: list[int] = []
    frames = rules.choose_frames(
        SEQUENCE,
        [True] * len(areas),
        target,
        np.random.default_rng(seed),
        area_of=lambda t: asked.append(t) or areas[t],
        objects_of=lambda t: objects[t],
    )
    return frames, asked


def test_a_target_that_shows_enough_is_the_reference():
    for seed in range(20):
        frames, asked = choose(ReferenceRules(), [201] * 9, [{1}] * 9, 4, seed)
        assert frames[0] == 4
        assert asked == [4]


def test_a_poor_target_is_replaced():
    """More than 200 pixels are asked for: 200 are too few."""
    areas = [200, 200, 201, 200]
    for seed in range(20):
        assert choose(ReferenceRules(), areas, [{1}] * 4, 0, seed)[0][0] == 2


def test_without_a_good_reference_the_best_that_was_seen_is_taken():
    frames, asked = choose(ReferenceRules(), [3, 90, 7], [{1}] * 3, 0)
    assert len(asked) == 20
    assert frames[0] == 1


def test_clips_with_new_objects_are_drawn_again():
    """Object 2 appears in one of eleven later frames: rarely is a clip with it the last resort."""
    objects = [{1} for _ in range(12)]
    objects[1] = {1, 2}
    clips = [choose(ReferenceRules(), [999] * 12, objects, 0, seed)[0] for seed in range(200)]
    assert sum(1 in clip for clip in clips) < 30  # one draw alone: more than half
    naive = [SEQUENCE([True] * 12, 0, np.random.default_rng(seed)) for seed in range(200)]
    assert sum(1 in clip for clip in naive) > 80


def test_objects_may_vanish_after_the_reference():
    objects = [{1, 2}, {1}, set(), set(), set(), set()]
    single, asked = choose(ReferenceRules(), [999] * 6, objects, 0, 3)
    assert single == SEQUENCE([True] * 6, 0, np.random.default_rng(3))
    assert asked == [0]


def test_what_the_reference_does_not_show_well_is_removed_from_all_frames():
    ids = np.zeros((3, 8, 8), np.int32)
    ids[0, :2] = 5  # 16 pixels
    ids[0, 2, :4] = 70_000  # 4 pixels
    ids[1], ids[2] = 70_000, 9
    ids[2, 0, 0] = 5
    kept = keep_ids(ids, ReferenceRules(min_object_area=4).find_given(ids))
    assert kept.dtype == np.int32
    assert np.array_equal(kept == 5, ids == 5)
    assert count_areas(kept) == {5: 17}
    assert (ids[1] == 70_000).all()  # the argument is left as it was
    assert ReferenceRules(min_object_area=3).find_given(ids) == [5, 70_000]
    assert count_areas(keep_ids(ids, [5, 70_000])) == {5: 17, 70_000: 68}


@pytest.mark.parametrize(
    ("limits", "things", "stuff"),
    [((), 4, 3), ((3,), None, None), ((7,), 4, 3), ((2, 1), 2, 1), ((9, 2), 4, 2), ((1, 9), 1, 3)],
)
def test_objects_beyond_the_limits_go(limits, things, stuff):
    segments = {key: Segment(0, isthing=key % 2 == 0) for key in range(2, 9)}  # things 2, 4, 6, 8
    rules = ReferenceRules(max_objects=limits)
    seen = set()
    for seed in range(30):
        left = rules.limit_objects(range(2, 9), segments, np.random.default_rng(seed))
        assert left == sorted(set(left))
        seen |= set(left)
        if things is None:
            assert len(left) == limits[0]
        else:
            assert sum(segments[key].isthing for key in left) == things
            assert sum(not segments[key].isthing for key in left) == stuff
    assert seen == set(segments)  # any of them can stay


def test_keep_ids_of_nothing():
    empty = np.zeros((2, 3, 4), np.int32)
    assert np.array_equal(keep_ids(empty, []), empty)
    assert np.array_equal(keep_ids(empty + 7, [8]), empty)


@pytest.mark.parametrize("limits", [(0,), (10, 0), (1, 2, 3)])
def test_bad_limits(limits):
    with pytest.raises(InputError, match="MAX_OBJECTS"):
        ReferenceRules(max_objects=limits)
