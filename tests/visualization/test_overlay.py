"""The overlay: what it may and may not change."""

from __future__ import annotations

import numpy as np
import pytest

from vps.structures import Category, PanopticFrame, Segment
from vps.visualization import draw_panoptic, track_color
from vps.visualization.labels import border_distance, interior_points
from vps.visualization.overlay import fitting_text_size

CATEGORIES = [Category("sky", False, (70, 130, 180), 2), Category("dog", True, (220, 20, 60), 9)]
SKY, DOG, HUGE = 1, 3, 16_000_000


def scene(height=120, width=200, dog=DOG):
    """Sky on the left, void on the right, a dog in the middle of the sky."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    ids = np.zeros((height, width), np.int32)
    ids[:, : width * 3 // 4] = SKY
    ids[height // 4 : height * 3 // 4, width // 4 : width // 2] = dog
    segments = {SKY: Segment(0, False), dog: Segment(1, True, 0.9)}
    return image, PanopticFrame("f", ids, segments)


def far_from_borders(ids, distance=4):
    return border_distance(ids) > distance


@pytest.mark.parametrize("dog", [DOG, HUGE])
def test_each_segment_is_tinted_in_its_colour_and_void_is_left_alone(dog):
    image, frame = scene(dog=dog)
    before = image.copy()
    picture = draw_panoptic(image, frame, CATEGORIES, alpha=0.5, labels=False)
    assert picture.shape == image.shape and picture.dtype == np.uint8
    np.testing.assert_array_equal(image, before)
    inner = far_from_borders(frame.ids)
    for segment_id, color, share in ((SKY, (70, 130, 180), 0.375), (dog, track_color(dog), 0.5)):
        mask = inner & (frame.ids == segment_id)
        expected = image[mask] * (1 - share) + np.array(color) * share
        assert np.abs(picture[mask] - expected).max() <= 1
    void = inner & (frame.ids == 0)
    np.testing.assert_array_equal(picture[void], image[void])


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_alpha_is_the_weight_of_the_tint(alpha):
    image, frame = scene()
    picture = draw_panoptic(image, frame, CATEGORIES, alpha=alpha, labels=False)
    mask = far_from_borders(frame.ids) & (frame.ids == DOG)
    expected = image[mask] * (1 - alpha) + alpha * np.array(track_color(DOG))
    assert np.abs(picture[mask] - expected).max() <= 1


def test_the_same_ids_give_the_same_picture_whatever_the_path_of_the_look_up():
    image, frame = scene()
    _, huge = scene(dog=HUGE)
    colors = {DOG: (9, 200, 90), HUGE: (9, 200, 90)}
    np.testing.assert_array_equal(
        draw_panoptic(image, frame, CATEGORIES, labels=False, colors=colors),
        draw_panoptic(image, huge, CATEGORIES, labels=False, colors=colors),
    )


def test_borders_are_drawn_where_segments_meet_and_nowhere_else():
    image, frame = scene()
    flat = np.full_like(image, 100)
    picture = draw_panoptic(flat, frame, CATEGORIES, alpha=0.5, labels=False)
    for segment_id in (SKY, DOG, 0):
        mask = frame.ids == segment_id
        deep = picture[mask & far_from_borders(frame.ids, 2)]
        assert (deep == deep[0]).all()
    row = picture[60].astype(int)
    jumps = np.flatnonzero(np.abs(np.diff(row, axis=0)).max(axis=1) > 20)
    meetings = (50, 100, 150)  # sky, dog, sky, void
    assert {min(meetings, key=lambda x: abs(x - jump)) for jump in jumps} == set(meetings)
    assert all(min(abs(x - jump) for x in meetings) <= 2 for jump in jumps)


@pytest.mark.parametrize("shape", [(128, 192), (480, 854), (720, 1280)])
def test_labels_change_a_little_and_only_when_asked_for(shape):
    image, frame = scene(*shape)
    plain = draw_panoptic(image, frame, CATEGORIES, labels=False)
    labelled = draw_panoptic(image, frame, CATEGORIES, labels=True)
    changed = (plain != labelled).any(axis=-1)
    assert 0.0005 < changed.mean() < 0.12
    for segment_id in (SKY, DOG):  # each has its label on itself
        assert changed[frame.ids == segment_id].any()


def test_a_label_that_would_hide_its_segment_is_left_out():
    image, frame = scene()
    frame.ids[frame.ids == DOG] = SKY
    frame.ids[50:53, 50:53] = DOG
    plain = draw_panoptic(image, frame, CATEGORIES, labels=False)
    labelled = draw_panoptic(image, frame, CATEGORIES)
    around = np.s_[45:58, 45:58]
    np.testing.assert_array_equal(plain[around], labelled[around])


def edge_cases():
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 40, (60, 80)).astype(np.int32)
    yield "all void", np.zeros((40, 50), np.int32), {}
    yield "one pixel", np.full((1, 1), SKY, np.int32), {SKY: Segment(0, False)}
    yield "one row", np.full((1, 90), SKY, np.int32), {SKY: Segment(0, False)}
    yield "segments without pixels", np.zeros((40, 50), np.int32), {5: Segment(1, True)}
    yield "ids without segments", np.full((40, 50), 7, np.int32), {}
    yield "confetti", noise, {i: Segment(i % 2, i % 2 == 1) for i in range(1, 40)}
    yield "full of one thing", np.full((40, 50), 5, np.int32), {5: Segment(1, True)}


@pytest.mark.parametrize("name, ids, segments", list(edge_cases()), ids=lambda x: str(x)[:20])
def test_edge_cases_are_drawn(name, ids, segments):
    image = np.full((*ids.shape, 3), 128, np.uint8)
    picture = draw_panoptic(image, PanopticFrame("f", ids, segments), CATEGORIES)
    assert picture.shape == image.shape
    if not segments:  # what nobody describes is void
        assert (picture == 128).mean() > 0.95


def test_wrong_arguments_are_refused():
    image, frame = scene()
    with pytest.raises(ValueError, match=r"\[120, 200, 3\] for frame f, got uint8 \[120, 100, 3\]"):
        draw_panoptic(image[:, :100], frame, CATEGORIES)
    with pytest.raises(ValueError, match="got float64"):
        draw_panoptic(image / 255, frame, CATEGORIES)
    with pytest.raises(ValueError, match=r"alpha in 0\.\.1, got 2"):
        draw_panoptic(image, frame, CATEGORIES, alpha=2)


def ring(size=200):
    rows, columns = np.mgrid[:size, :size]
    radius = np.hypot(rows - size / 2, columns - size / 2)
    return np.where((radius > size * 0.3) & (radius < size * 0.45), 5, 1).astype(np.int32)


@pytest.mark.parametrize("size", [30, 200, 700])
def test_labels_stand_inside_of_their_segments_even_of_rings(size):
    ids = ring(size)
    points = interior_points(ids, [1, 5, 99])
    assert set(points) == {1, 5}
    for segment_id, point in points.items():
        assert ids[point] == segment_id
    assert border_distance(ids)[points[5]] >= 0.06 * size


def test_specks_smaller_than_the_search_grid_are_found():
    ids = np.ones((720, 1280), np.int32)
    ids[301, 507] = 2
    assert interior_points(ids, [2]) == {2: (301, 507)}


def test_border_distance_counts_steps():
    ids = np.array([[1, 1, 1, 1, 1, 2]] * 5)
    np.testing.assert_array_equal(border_distance(ids)[2], [1, 2, 3, 2, 1, 1])


def test_text_grows_with_the_picture():
    sizes = [
        fitting_text_size(*shape) for shape in ((128, 192), (480, 854), (720, 1280), (1080, 1920))
    ]
    assert sizes == sorted(set(sizes)) and sizes[0] >= 8 and sizes[-1] <= 30
