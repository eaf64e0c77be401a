"""Which frames form a clip."""

from __future__ import annotations

import numpy as np
import pytest

from vps.data.clip_sampling import make_clip_sampler, sample_consecutive, sample_pair
from vps.structures import InputError

ALL = [True] * 12
EVERY_FIFTH = [t % 5 == 4 for t in range(30)]  # as Cityscapes-VPS is labelled


@pytest.mark.parametrize(
    ("labelled", "target", "max_gap", "references"),
    [
        (ALL, 6, 2, {4, 5, 7, 8}),
        (ALL, 0, 3, {1, 2, 3}),  # at the start of the video
        (ALL, 11, 3, {8, 9, 10}),  # at its end
        (EVERY_FIFTH, 14, 5, {9, 19}),  # real frames are counted, not labelled ones
        (EVERY_FIFTH, 14, 4, {14}),  # nobody else is near: the target itself
        ([False, True, False], 1, 1, {1}),
    ],
)
def test_pair(labelled, target, max_gap, references):
    rng = np.random.default_rng(0)
    clips = [sample_pair(labelled, target, rng, max_gap=max_gap) for _ in range(100)]
    assert {clip[0] for clip in clips} == {target}
    assert {clip[1] for clip in clips} == references


@pytest.mark.parametrize(
    ("labelled", "target", "length", "clips"),
    [
        (ALL[:4], 1, 3, {(0, 1, 2), (1, 2, 3)}),
        (ALL[:4], 0, 2, {(0, 1)}),
        (ALL[:4], 3, 2, {(2, 3)}),
        (EVERY_FIFTH, 14, 2, {(9, 14), (14, 19)}),
        ([True, False, True], 2, 5, {(0, 2, 2, 2, 2)}),  # too short: the last one repeats
        (ALL, 5, 1, {(5,)}),
    ],
)
def test_consecutive(labelled, target, length, clips):
    rng = np.random.default_rng(0)
    seen = {tuple(sample_consecutive(labelled, target, rng, length=length)) for _ in range(100)}
    assert seen == clips


def test_reverse_plays_half_of_the_clips_backwards():
    rng = np.random.default_rng(0)
    seen = [tuple(sample_consecutive(ALL[:2], 0, rng, length=2, reverse=True)) for _ in range(100)]
    assert set(seen) == {(0, 1), (1, 0)}
    assert 30 < seen.count((1, 0)) < 70


@pytest.mark.parametrize(
    ("name", "length", "max_gap", "message"),
    [
        ("triple", 2, 5, "SAMPLER 'pair' or 'consecutive', got 'triple'"),
        ("pair", 3, 5, "LENGTH 2"),
        ("pair", 2, 0, "MAX_GAP >= 1"),
        ("consecutive", 0, 5, "LENGTH >= 1"),
    ],
)
def test_bad_settings(name, length, max_gap, message):
    with pytest.raises(InputError, match=message):
        make_clip_sampler(name, length=length, max_gap=max_gap, reverse=False)
