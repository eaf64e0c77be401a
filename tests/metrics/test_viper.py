"""VIPER's rules: small true tubes are not sought, areas are counted, means leave a class out."""

from __future__ import annotations

import json

import numpy as np
import pytest
from naive_panoptic import NaiveFrame, naive_means, naive_vpq_counts
from random_videos import CATEGORIES, random_video, tables_of

from vps.metrics import (
    VIPER_EXCLUDED_CLASSES,
    VIPER_RULES,
    VIPER_WINDOWS,
    MatchingRules,
    PanopticQuality,
    VideoPanopticQuality,
)
from vps.structures import InputError, Segment

WINDOWS = (1, 2, 5)


@pytest.mark.parametrize("min_tube_area", [0, 6, 12, 30])
@pytest.mark.parametrize("excluded", [(), (1,), (0, 3)], ids=str)
def test_against_naive(min_tube_area, excluded):
    rng = np.random.default_rng(8)
    videos = [random_video(rng) for _ in range(40)]
    rules = MatchingRules(ground_truth_area="pixels", min_tube_area=min_tube_area)
    metric = VideoPanopticQuality(CATEGORIES, WINDOWS, rules=rules, excluded_classes=excluded)
    for index, frames in enumerate(videos):
        metric.update(tables_of(f"{index:04d}", frames))
    result = metric.compute()
    things = {c for c, category in enumerate(CATEGORIES) if category.isthing}
    for window in WINDOWS:
        want = naive_vpq_counts(videos, window, len(CATEGORIES), rules)
        scores = result.per_window[window]
        got = scores.counts
        np.testing.assert_array_equal(np.stack([got.tp, got.fp, got.fn], 1), want[:, 1:])
        np.testing.assert_allclose(got.iou, want[:, 0], rtol=1e-12, atol=1e-12)
        kept = set(range(len(CATEGORIES))) - set(excluded)
        for group, members in (("All", kept), ("Things", kept & things), ("Stuff", kept - things)):
            means = scores.groups[group]
            naive = naive_means(want, sorted(members))
            assert (means.pq, means.sq, means.rq, means.n) == pytest.approx(naive, abs=1e-12)
        rows = scores.as_dict()["per_class"]
        assert {row["category"] for row in rows if row.get("excluded")} == set(excluded)


def small_object(side):
    """A true thing of side x side pixels, seen by a prediction that is exact."""
    gt = np.zeros((64, 64), np.int32)
    gt[:side, :side] = 5
    segments = {5: Segment(1, True, area=10_000)}  # the listed area is not looked at
    return NaiveFrame(gt, segments, gt.copy(), {5: Segment(1, True)})


@pytest.mark.parametrize(
    ("side", "frames", "counts"),
    [
        (32, 1, (1, 0, 0)),
        (31, 1, (0, 1, 0)),  # not sought, so the exact prediction is a FP
        (31, 2, (1, 0, 0)),  # the area is that of the tube, over the window
        (0, 1, (0, 0, 0)),
    ],
)
def test_small_tubes(side, frames, counts):
    frame = small_object(side)
    if side == 0:
        frame = NaiveFrame(frame.gt, {}, frame.pred, {})
    metric = VideoPanopticQuality(CATEGORIES, (frames,), rules=VIPER_RULES)
    metric.update(tables_of("v", [frame] * frames))
    got = metric.compute().per_window[frames].counts
    assert (got.tp[1], got.fp[1], got.fn[1]) == counts


def test_missed_small_tubes_are_no_false_negatives():
    small, large = small_object(31), small_object(40)
    for frame in (small, large):
        frame.pred[:] = 0
        frame.pred_segments.clear()
    metric = PanopticQuality(CATEGORIES, rules=VIPER_RULES)
    metric.update(tables_of("small", [small]))
    assert metric.compute().counts.fn[1] == 0
    metric.update(tables_of("large", [large]))
    assert metric.compute().counts.fn[1] == 1


def test_excluded_classes():
    frame = small_object(40)
    metric = VideoPanopticQuality(CATEGORIES, (1,), rules=VIPER_RULES, excluded_classes=[1])
    metric.update(tables_of("v", [frame]))
    result = metric.compute()
    assert result.per_window[1].counts.tp[1] == 1 and result.all is None
    assert "excluded" in result.reasons["all"]
    assert result.per_video["v"][1] is None
    json.dumps(result.as_dict(), allow_nan=False)
    with pytest.raises(InputError, match="cannot be merged"):
        metric.merge(VideoPanopticQuality(CATEGORIES, (1,), rules=VIPER_RULES))
    with pytest.raises(InputError, match=r"excluded_classes in 0\.\.4"):
        PanopticQuality(CATEGORIES, excluded_classes=VIPER_EXCLUDED_CLASSES)


def test_the_preset():
    assert VIPER_WINDOWS == (1, 5, 10, 15) and VIPER_EXCLUDED_CLASSES == (11,)
    assert MatchingRules(ground_truth_area="pixels", min_tube_area=1024) == VIPER_RULES
    with pytest.raises(InputError, match="min_tube_area >= 0"):
        MatchingRules(min_tube_area=-1)
