"""Which frames form a clip."""

from __future__ import annotations

import numpy as np
import pytest

from vps.data.clip_sampling import (
    make_clip_sampler,
    reflect,
    sample_consecutive,
    sample_pair,
    sample_sequence,
)
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
    ("labelled", "target", "length", "max_gap", "reverse", "clips"),
    [
        (ALL, 0, 3, 1, False, {(0, 1, 2)}),
        (ALL, 0, 3, 2, False, {(0, 1, 2), (0, 1, 3), (0, 2, 3), (0, 2, 4)}),
        (ALL, 5, 3, 1, True, {(5, 6, 7), (5, 4, 3)}),
        (ALL, 11, 3, 1, False, {(11, 10, 9)}),  # turns round at the end
        (ALL[:3], 1, 4, 1, False, {(1, 2, 1, 0)}),
        (ALL[:3], 1, 4, 1, True, {(1, 2, 1, 0), (1, 0, 1, 2)}),
        (ALL[:2], 0, 3, 3, False, {(0, a, b) for a in (0, 1) for b in (0, 1)}),
        (EVERY_FIFTH, 14, 3, 1, False, {(14, 19, 24)}),  # gaps of labelled frames
        ([False, True, False], 1, 3, 5, True, {(1, 1, 1)}),  # a video of one frame
        (ALL, 7, 1, 3, True, {(7,)}),
    ],
)
def test_sequence(labelled, target, length, max_gap, reverse, clips):
    rng = np.random.default_rng(0)
    seen = {
        tuple(
            sample_sequence(labelled, target, rng, length=length, max_gap=max_gap, reverse=reverse)
        )
        for _ in range(200)
    }
    assert seen == clips


def test_reflection_is_that_of_two_mirrors():
    assert reflect(np.arange(-5, 9), 4) == [1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert reflect(np.arange(-2, 3), 1) == [0] * 5


def test_half_of_the_sequences_run_backwards():
    rng = np.random.default_rng(0)
    clips = [sample_sequence(ALL, 6, rng, length=2, max_gap=3, reverse=True) for _ in range(100)]
    assert 30 < sum(clip[1] < 6 for clip in clips) < 70


def test_static_is_one_frame_many_times():
    sampler = make_clip_sampler("static", length=4, max_gap=5, reverse=True)
    assert sampler(ALL, 3, np.random.default_rng(0)) == [3, 3, 3, 3]


@pytest.mark.parametrize(
    ("name", "length", "max_gap", "message"),
    [
        ("triple", 2, 5, "SAMPLER 'pair', 'consecutive', 'sequence' or 'static', got 'triple'"),
        ("pair", 3, 5, "LENGTH 2"),
        ("pair", 2, 0, "MAX_GAP >= 1"),
        ("consecutive", 0, 5, "LENGTH >= 1"),
        ("sequence", 0, 5, "LENGTH >= 1"),
        ("sequence", 5, 0, "MAX_GAP >= 1"),
        ("static", 0, 5, "LENGTH >= 1"),
    ],
)
def test_bad_settings(name, length, max_gap, message):
    with pytest.raises(InputError, match=message):
        make_clip_sampler(name, length=length, max_gap=max_gap, reverse=False)
