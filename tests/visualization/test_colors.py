"""Colours: stable, and far enough apart to be told from each other."""

from __future__ import annotations

import itertools

import numpy as np

from vps.structures import Category, Segment
from vps.visualization.colors import luminance, segment_color, track_color

CATEGORIES = [Category("cat", True, (1, 2, 3), 1), Category("sky", False, (70, 130, 180), 2)]


def distance(a, b):
    return float(np.linalg.norm(np.subtract(a, b)))


def test_a_track_keeps_its_colour_for_ever():
    # Literal values: a change would repaint every video that was ever drawn.
    assert [track_color(i) for i in (1, 2, 3)] == [(96, 79, 209), (68, 235, 35), (255, 97, 169)]


def test_things_that_appear_together_look_different():
    for first in range(300):
        near = [track_color(i) for i in range(first, first + 8)]
        assert min(distance(a, b) for a, b in itertools.combinations(near, 2)) > 35


def test_no_track_is_too_dark_to_see():
    assert min(luminance(track_color(i)) for i in range(500)) > 0.1


def test_stuff_and_crowds_wear_the_colour_of_their_class():
    assert segment_color(2, Segment(1, False), CATEGORIES) == (70, 130, 180)
    assert segment_color(9, Segment(0, True, iscrowd=True), CATEGORIES) == (1, 2, 3)
    assert segment_color(9, Segment(0, True), CATEGORIES) == track_color(9)
