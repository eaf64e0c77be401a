"""The table-based metrics equal the naive ones on random videos, under every rule."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from naive_panoptic import naive_means, naive_stq, naive_vpq_counts
from random_videos import CATEGORIES, random_video, tables_of

from vps.metrics import (
    MatchingRules,
    MeanIoU,
    SegmentationTrackingQuality,
    STQRules,
    VideoPanopticQuality,
)
from vps.metrics.windows import count_windows

WINDOWS = (1, 2, 3, 5, 9)  # 9 is longer than every video

RULES = [
    MatchingRules(),
    MatchingRules(ground_truth_area="pixels"),
    MatchingRules(crowd="all"),
    MatchingRules(crowd="ordinary"),
    MatchingRules(void_in_union=True),
    MatchingRules(stride=2),
    MatchingRules(clip_length=3),
    MatchingRules(clip_length=4, stride=3, crowd="all", ground_truth_area="pixels"),
    MatchingRules(match_threshold=0.7, ignore_threshold=0.25),
]


def test_random_videos_hold_what_they_promise():
    rng = np.random.default_rng(0)
    frames = [frame for _ in range(60) for frame in random_video(rng)]
    classes = {}
    for frame in frames:
        for segment_id, segment in frame.gt_segments.items():
            classes.setdefault(segment_id, set()).add(segment.category)
    assert any(len(seen) > 1 for seen in classes.values())
    assert any(segment_id > 65535 for segment_id in classes)
    assert any(not frame.pred_segments for frame in frames)
    assert any(not frame.gt_segments for frame in frames)
    crowds = [[s.category for s in f.gt_segments.values() if s.iscrowd] for f in frames]
    assert any(len(set(c)) < len(c) for c in crowds), "no frame with two crowds of a class"


@pytest.mark.parametrize("rules", RULES, ids=str)
def test_vpq(rules):
    rng = np.random.default_rng(1)
    videos = [random_video(rng) for _ in range(60)]
    metric = VideoPanopticQuality(CATEGORIES, WINDOWS, rules=rules)
    for index, frames in enumerate(videos):
        metric.update(tables_of(f"{index:04d}", frames))
    result = metric.compute()
    for window in WINDOWS:
        want = naive_vpq_counts(videos, window, len(CATEGORIES), rules)
        scores = result.per_window[window]
        got = scores.counts
        np.testing.assert_array_equal(np.stack([got.tp, got.fp, got.fn], 1), want[:, 1:])
        np.testing.assert_allclose(got.iou, want[:, 0], rtol=1e-12, atol=1e-12)
        for group, members in (
            ("All", range(len(CATEGORIES))),
            ("Things", [c for c, category in enumerate(CATEGORIES) if category.isthing]),
            ("Stuff", [c for c, category in enumerate(CATEGORIES) if not category.isthing]),
        ):
            means = scores.groups[group]
            naive = naive_means(want, members)
            assert (means.pq, means.sq, means.rq, means.n) == pytest.approx(naive, abs=1e-12)
    assert want.sum() == 0 and result.all is None and "9 labelled frames" in result.reasons["all"]


def test_rules_change_the_counts():
    """Otherwise the comparison above would say nothing about them."""
    rng = np.random.default_rng(1)
    videos = [tables_of(str(i), random_video(rng)) for i in range(60)]

    def counts(rules):
        return [
            sum(int(n.sum()) for n in (c.tp, c.fp * 1000, c.fn * 1000_000)) + c.iou.sum()
            for window in (1, 2, 3)
            for c in [
                sum(
                    (count_windows(v, window, len(CATEGORIES), rules)[0] for v in videos[1:]),
                    count_windows(videos[0], window, len(CATEGORIES), rules)[0],
                )
            ]
        ]

    values = [counts(rules) for rules in RULES]
    for (a, first), (b, second) in itertools.combinations(enumerate(values), 2):
        assert first != second, f"{RULES[a]} and {RULES[b]} agree on everything"


def test_class_as_part_of_the_identity():
    """Where no id changes its class and nothing is unlisted, both readings of a tube agree."""
    rng = np.random.default_rng(2)
    for index in range(40):
        video = tables_of(str(index), random_video(rng, consistent=True))
        results = []
        for tube_class in ("first_listed", "each_frame"):
            metric = VideoPanopticQuality(
                CATEGORIES, (1, 2, 4), rules=MatchingRules(tube_class=tube_class)
            )
            metric.update(video)
            results.append(metric.compute().as_dict())
        assert results[0] == results[1]


@pytest.mark.parametrize("window", [1, 2, 5])
@pytest.mark.parametrize("max_cells", [0, 40, 120])
def test_long_videos_in_stretches(window, max_cells):
    rng = np.random.default_rng(3)
    for index in range(30):
        video = tables_of(str(index), random_video(rng))
        whole, windows = count_windows(video, window, len(CATEGORIES))
        cut, windows_cut = count_windows(video, window, len(CATEGORIES), max_cells=max_cells)
        assert windows == windows_cut == max(0, len(video) - window + 1)
        for name in ("tp", "fp", "fn"):
            np.testing.assert_array_equal(getattr(whole, name), getattr(cut, name))
        np.testing.assert_allclose(whole.iou, cut.iou, rtol=1e-12, atol=0)


@pytest.mark.parametrize("crowd", ["first_listed", "listed", "none"])
@pytest.mark.parametrize("void_column", [True, False])
def test_stq(crowd, void_column):
    rng = np.random.default_rng(4)
    videos = [random_video(rng) for _ in range(40)]
    rules = STQRules(crowd=crowd, void_column=void_column)
    metric = SegmentationTrackingQuality(CATEGORIES, rules=rules)
    for index, frames in enumerate(videos):
        metric.update(tables_of(f"{index:04d}", frames))
    result = metric.compute()
    naive = naive_stq(videos, CATEGORIES, crowd=crowd, void_column=void_column)
    total = result.total
    assert (total.stq, total.aq, total.sq, total.num_tubes) == pytest.approx(naive, abs=1e-12)
    for index, frames in enumerate(videos):
        alone = result.per_video[f"{index:04d}"]
        naive = naive_stq([frames], CATEGORIES, crowd=crowd, void_column=void_column)
        assert (alone.stq, alone.aq, alone.sq, alone.num_tubes) == pytest.approx(naive, abs=1e-12)


def test_mean_iou():
    rng = np.random.default_rng(5)
    videos = [random_video(rng) for _ in range(20)]
    metric = MeanIoU(CATEGORIES)
    stq = SegmentationTrackingQuality(CATEGORIES)
    void = len(CATEGORIES)
    truth, guess = [], []
    for index, frames in enumerate(videos):
        metric.update(tables_of(str(index), frames))
        stq.update(tables_of(str(index), frames))
        for frame in frames:
            for ids, segments, to in (
                (frame.gt, frame.gt_segments, truth),
                (frame.pred, frame.pred_segments, guess),
            ):
                classes = {0: void, **{i: s.category for i, s in segments.items()}}
                to += [classes[i] for i in ids.ravel().tolist()]
    truth, guess = np.array(truth), np.array(guess)
    guess, truth = guess[truth < void], truth[truth < void]
    ious = [
        ((truth == c) & (guess == c)).sum() / ((truth == c) | (guess == c)).sum()
        for c in range(void)
    ]
    result = metric.compute()
    assert result.miou == pytest.approx(np.mean(ious), abs=1e-12)
    assert result.accuracy == pytest.approx((truth == guess).mean(), abs=1e-12)
    assert stq.compute().semantic.as_dict() == result.as_dict()
