"""Contours of all objects at once, and both ways of matching them, equal the naive ones."""

from __future__ import annotations

import numpy as np
import pytest
from naive_objects import naive_contour, naive_contour_counts, naive_f
from random_objects import random_pair
from test_viposeg_bands import SHAPES

from vps.metrics import contours as module
from vps.metrics.contours import (
    choose_matcher,
    contours,
    count_matches,
    disk_radius,
    match_contours,
)


@pytest.fixture(params=["numpy", "numba"])
def matcher(request):
    if request.param == "numpy":
        return count_matches
    pytest.importorskip("numba", reason="numba is not installed")
    from vps.metrics import boundary_kernels

    return boundary_kernels.count_matches


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("ids", [(1, 2, 3, 255), (5, 300, 70_000)], ids=str)
def test_matches_against_naive(shape, ids, matcher):
    rng = np.random.default_rng([*shape, ids[0]])
    asked = [*ids, 99]
    for radius in (0, 1, 2, 5, 11):
        gt, pred = random_pair(rng, shape, ids)
        got = match_contours(gt, pred, asked, radius, matcher=matcher)
        f = got.f_measure()
        for index, object_id in enumerate(asked):
            true, guess = gt == object_id, pred == object_id
            counts = [row[index] for row in (got.gt, got.pred, got.gt_matched, got.pred_matched)]
            assert counts == naive_contour_counts(true, guess, radius)
            assert f[index] == pytest.approx(naive_f(true, guess, radius), abs=1e-15)


def test_compiled_matching_equals_numpy():
    kernels = pytest.importorskip("vps.metrics.boundary_kernels", reason="numba is not installed")
    rng = np.random.default_rng(0)
    for radius in (1, 7, 18, 40, 100):
        gt, pred = random_pair(rng, (90, 300), (1, 2, 3, 4))
        one = match_contours(gt, pred, (1, 2, 3, 4), radius, matcher=count_matches)
        other = match_contours(gt, pred, (1, 2, 3, 4), radius, matcher=kernels.count_matches)
        np.testing.assert_array_equal(one.gt_matched, other.gt_matched)
        np.testing.assert_array_equal(one.pred_matched, other.pred_matched)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_contours_in_scan_order(shape):
    gt, _ = random_pair(np.random.default_rng([*shape, 3]), shape, (1, 2, 400))
    for object_id, contour in zip((1, 2, 400), contours(gt, np.array([1, 2, 400])), strict=True):
        mask = np.zeros(shape, bool)
        mask[contour] = True
        np.testing.assert_array_equal(mask, naive_contour(gt == object_id))
        assert len(contour[0]) == mask.sum(), "a pixel twice"


def test_an_object_that_fills_the_frame_has_no_contour():
    full = np.ones((6, 9), np.uint8)
    part = full.copy()
    part[:, -1] = 0
    assert match_contours(full, full, [1], 2).f_measure().tolist() == [1]
    assert match_contours(full, part, [1], 2).f_measure().tolist() == [0]
    nothing = np.zeros((0, 9), np.uint8)
    assert match_contours(nothing, nothing, [1], 2).f_measure().tolist() == [1]


@pytest.mark.parametrize(
    ("shape", "bound", "radius"),
    [
        ((480, 854), 0.008, 8),
        ((720, 1280), 0.008, 12),
        ((1080, 1920), 0.008, 18),
        ((10, 10), 3, 3),
        ((10, 10), 1, 1),
    ],
)
def test_disk_radius(shape, bound, radius):
    assert disk_radius(shape, bound) == radius


def test_choice_of_matcher(monkeypatch):
    monkeypatch.setenv("VPS_NUMBA", "0")
    assert choose_matcher() is count_matches
    monkeypatch.setattr(module, "load_kernels", lambda name: None)
    assert choose_matcher() is count_matches
