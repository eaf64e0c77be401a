"""Sums of floats in any order, and metrics in any order of their videos, have the same bits."""

from __future__ import annotations

import json
import math
import pickle

import numpy as np
import pytest
from random_videos import CATEGORIES, random_video, tables_of

from vps.metrics import MeanIoU, SegmentationTrackingQuality, VideoPanopticQuality
from vps.metrics.exact_sums import from_exact, to_exact
from vps.structures import InputError

EXTREMES = [0.0, -0.0, 1.0, -1.0, 5e-324, -5e-324, 2.0**-1022, 1.7976931348623157e308, 0.1, 1 / 3]


def test_there_and_back():
    values = np.array(EXTREMES)
    np.testing.assert_array_equal(from_exact(to_exact(values)), values)


def test_the_sum_is_rounded_once():
    """Against math.fsum, which is exact too; a plain sum of these is off."""
    rng = np.random.default_rng(0)
    values = rng.random((200, 5)) * 10.0 ** rng.integers(-12, 12, (200, 5))
    total = sum((to_exact(row) for row in values), to_exact(np.zeros(5)))
    expected = [math.fsum(column) for column in values.T]
    assert from_exact(total).tolist() == expected
    assert values.sum(axis=0).tolist() != expected
    backwards = sum((to_exact(row) for row in values[::-1]), to_exact(np.zeros(5)))
    assert backwards.tolist() == total.tolist()


def make_metrics():
    metrics = VideoPanopticQuality, SegmentationTrackingQuality, MeanIoU
    return [metric(CATEGORIES) for metric in metrics]


def test_partitions_and_orders_give_the_same_bits():
    rng = np.random.default_rng(5)
    videos = [tables_of(f"v{n}", random_video(rng, consistent=True)) for n in range(30)]

    def score(parts):
        whole = make_metrics()
        for part in parts:
            seen = [metric.fresh() for metric in whole]
            for number in part:
                for metric in seen:
                    metric.update(videos[number])
            for metric, other in zip(whole, seen, strict=True):
                metric.merge(pickle.loads(pickle.dumps(other)))
        return json.dumps([metric.compute().as_dict() for metric in whole])

    expected = score([range(30)])
    for _ in range(5):
        order = rng.permutation(30)
        assert score(np.array_split(order, [3, 3, 20])) == expected


def test_a_fresh_metric_has_seen_nothing_and_shares_nothing():
    video = tables_of("v", random_video(np.random.default_rng(1), consistent=True))
    for metric in make_metrics():
        metric.update(video)
        before = json.dumps(metric.compute().as_dict())
        other = metric.fresh()
        assert other.video_ids == []
        other.update(video)
        assert json.dumps(other.compute().as_dict()) == before
        assert json.dumps(metric.compute().as_dict()) == before


def test_a_merge_that_fails_changes_nothing():
    videos = [
        tables_of(name, random_video(np.random.default_rng(seed), consistent=True))
        for seed, name in enumerate("ab")
    ]
    for metric in make_metrics():
        other = metric.fresh()
        metric.update(videos[0])
        before = json.dumps(metric.compute().as_dict())
        other.update(videos[1])
        other.update(videos[0])
        with pytest.raises(InputError, match="video a was already scored"):
            metric.merge(other)
        assert json.dumps(metric.compute().as_dict()) == before
