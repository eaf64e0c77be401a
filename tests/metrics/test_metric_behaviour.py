"""What the metrics promise beside their values: errors, undefined means, merging, the report."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from random_videos import CATEGORIES, random_video, tables_of

from vps.metrics import (
    FrameTable,
    MatchingRules,
    MeanIoU,
    PanopticQuality,
    SegmentationTrackingQuality,
    STQRules,
    VideoPanopticQuality,
    VideoTables,
    format_table,
)
from vps.metrics.frame_table import count_pairs
from vps.structures import MAX_ID, InputError, PanopticFrame, Segment

STUFF, THING, OTHER_THING = Segment(0, False), Segment(1, True), Segment(3, True)


def table(gt, gt_segments, pred, pred_segments, *, strict=True):
    return FrameTable.from_maps(
        np.array([gt], np.int32),
        gt_segments,
        np.array([pred], np.int32),
        pred_segments,
        frame_id="f7",
        video_id="v3",
        strict_ground_truth=strict,
    )


def one_frame_video(*arguments, name="v3", **options):
    return VideoTables.from_frames(name, [table(*arguments, **options)])


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (300, 700), (0, 4)])
def test_count_pairs_against_unique(shape):
    rng = np.random.default_rng(sum(shape))
    values = np.array([0, 1, 65535, 65536, MAX_ID], np.int32)
    gt, pred = values[rng.integers(0, 5, shape)], values[rng.integers(0, 5, shape)]
    gt = np.repeat(gt, 3, axis=1)[:, : shape[1]]  # runs of several lengths
    got = count_pairs(gt, pred)
    stacked = np.stack([gt.ravel(), pred.ravel()]).astype(np.int64)
    pairs, pixels = np.unique(stacked, axis=1, return_counts=True)
    np.testing.assert_array_equal(np.stack(got), np.concatenate([pairs, pixels[None]]))
    assert all(array.dtype == np.int64 for array in got)


BAD_FRAMES = [
    ("unlisted prediction", ([1], {1: STUFF}, [2], {}), r"prediction of frame f7.*v3 paints.* 2 "),
    (
        "unpainted prediction",
        ([1], {1: STUFF}, [2], {2: STUFF, 70000: THING}),
        "prediction of frame f7 of video v3 lists segment ids 70000",
    ),
    ("unlisted truth", ([4, 5], {}, [0, 0], {}), "ground truth of frame f7.* 4, 5 "),
    ("unpainted truth", ([0], {9: STUFF}, [0], {}), "ground truth of frame f7 of video v3 .* 9"),
    ("void listed", ([0], {}, [0], {0: THING}), "segment id 0 is void"),
    ("negative id", ([0], {}, [-3], {-3: THING}), r"got -3 in the prediction of frame f7"),
    ("negative truth", ([-1], {}, [4], {4: THING}), r"got -1 in the ground truth of frame f7"),
    ("id too large", ([0], {}, [1 << 24], {1 << 24: THING}), "16777216 in the prediction"),
    ("sizes differ", ([0, 0], {}, [0], {}), "expected a prediction of 1x2 pixels.*got 1x1.*f7"),
    (
        "listed twice",
        ([0], {}, [2], [(2, THING), (2, STUFF)]),
        "prediction of frame f7 of video v3 lists segment ids 2 twice",
    ),
]


@pytest.mark.parametrize(("remark", "arguments", "message"), BAD_FRAMES, ids=lambda x: str(x)[:20])
def test_bad_frames(remark, arguments, message):
    with pytest.raises(InputError, match=message):
        table(*arguments)


def test_lenient_ground_truth():
    """The official evaluators take a ground truth whose pixels and listing disagree."""
    video = one_frame_video([4, 5], {4: STUFF, 6: STUFF}, [1, 1], {1: STUFF}, strict=False)
    metric = PanopticQuality(CATEGORIES)
    metric.update(video)
    # 4: IoU exactly 0.5, no match; 6 is missed; 5 is neither void nor a segment.
    assert metric.compute().per_class() == {0: (0.0, 0, 1, 2)}


@pytest.mark.parametrize(
    "metric_class", [VideoPanopticQuality, PanopticQuality, SegmentationTrackingQuality, MeanIoU]
)
@pytest.mark.parametrize("category", [-1, 5])
def test_unknown_category(metric_class, category):
    video = one_frame_video([1], {1: STUFF}, [2], {2: Segment(category, True)})
    message = rf"expected contiguous categories in 0\.\.4, got category {category} for segment 2 in"
    with pytest.raises(InputError, match=message + " the prediction of frame f7 of video v3"):
        metric_class(CATEGORIES).update(video)


def test_a_video_counts_once():
    for metric_class in (VideoPanopticQuality, SegmentationTrackingQuality):
        metric, other = metric_class(CATEGORIES), metric_class(CATEGORIES)
        video = one_frame_video([1], {1: STUFF}, [2], {2: STUFF})
        metric.update(video)
        other.update(video)
        with pytest.raises(InputError, match="video v3"):
            metric.update(video)
        with pytest.raises(InputError, match="video v3"):
            metric.merge(other)


def test_listed_area_smaller_than_the_pixels():
    video = one_frame_video([1, 1, 1, 1], {1: Segment(1, True, area=2)}, [2, 2, 2, 0], {2: THING})
    with pytest.raises(InputError, match="segment 1 of video v3 covers more pixels"):
        PanopticQuality(CATEGORIES).update(video)
    metric = PanopticQuality(CATEGORIES, rules=MatchingRules(ground_truth_area="pixels"))
    metric.update(video)
    assert metric.compute().per_class() == {1: (0.75, 1, 0, 0)}


@pytest.mark.parametrize(
    "make",
    [
        lambda: VideoPanopticQuality(CATEGORIES, ()),
        lambda: VideoPanopticQuality(CATEGORIES, (0, 1)),
        lambda: VideoPanopticQuality(CATEGORIES, (2, 2)),
        lambda: MatchingRules(crowd="none"),
        lambda: MatchingRules(tube_class="last"),
        lambda: MatchingRules(stride=0),
        lambda: MatchingRules(clip_length=0),
        lambda: STQRules(crowd="all"),
        lambda: SegmentationTrackingQuality(CATEGORIES, "other"),
    ],
)
def test_bad_settings(make):
    with pytest.raises(InputError, match="expected"):
        make()


def test_metrics_with_other_settings_do_not_merge():
    for one, other in (
        (VideoPanopticQuality(CATEGORIES), VideoPanopticQuality(CATEGORIES, (1,))),
        (
            SegmentationTrackingQuality(CATEGORIES),
            SegmentationTrackingQuality(CATEGORIES, "deeplab2"),
        ),
        (MeanIoU(CATEGORIES), MeanIoU(CATEGORIES[:2])),
    ):
        with pytest.raises(InputError, match="cannot be merged"):
            one.merge(other)


def test_undefined_is_none_with_a_reason():
    metric = VideoPanopticQuality(CATEGORIES, (1, 2))
    stq = SegmentationTrackingQuality(CATEGORIES)
    empty = metric.compute()
    assert empty.all is None and empty.reasons.keys() == {"all", "things", "stuff"}
    assert stq.compute().total.stq is None and stq.compute().total.reason
    video = one_frame_video([1], {1: STUFF}, [2], {2: STUFF})
    metric.update(video)
    stq.update(video)
    result = metric.compute()
    assert (result.all, result.things, result.stuff) == (None, None, None)
    assert result.per_window[1].all.pq == 1.0
    assert result.reasons["all"] == "window 2: no video has 2 labelled frames in a row"
    assert "window 1: no class of things occurs" in result.reasons["things"]
    json.dumps([result.as_dict(), empty.as_dict(), stq.compute().as_dict()], allow_nan=False)
    # Without things AQ is 0 officially, and undefined on request.
    assert stq.compute().total.aq == 0.0
    undefined = SegmentationTrackingQuality(CATEGORIES, rules=STQRules(without_things="undefined"))
    undefined.update(video)
    assert undefined.compute().total.aq is None and undefined.compute().total.sq == 1.0
    text = format_table(result, undefined.compute(), per_class=True)
    assert "VPQ(1,2)" in text and "undefined, window 2" in text and "has no thing" in text
    assert "nan" not in text.lower()


def test_merging_any_partition_gives_the_same_digits():
    rng = np.random.default_rng(8)
    videos = [tables_of(f"video {index}", random_video(rng)) for index in range(23)]

    def scores(order, parts):
        metrics = [
            (
                VideoPanopticQuality(CATEGORIES, (1, 2, 4)),
                SegmentationTrackingQuality(CATEGORIES),
                MeanIoU(CATEGORIES),
            )
            for _ in range(parts)
        ]
        for place, index in enumerate(order):
            for metric in metrics[place % parts]:
                metric.update(videos[index])
        metrics = pickle.loads(pickle.dumps(metrics))  # as between processes
        for others in metrics[1:]:
            for metric, other in zip(metrics[0], others, strict=True):
                metric.merge(other)
        return json.dumps([metric.compute().as_dict() for metric in metrics[0]])

    single = scores(range(len(videos)), 1)
    for parts in (1, 2, 3, 7, 23, 30):
        assert scores(rng.permutation(len(videos)), parts) == single


def test_sums_beyond_32_bits_are_exact():
    """Long videos of large frames: half of 2^41 pixels and one more is a match, half is none."""
    pixels = 1 << 40
    video = one_frame_video([1, 1, 0], {1: THING}, [2, 0, 0], {2: THING})
    assert list(zip(video.gt_ids.tolist(), video.pred_ids.tolist(), strict=True)) == [
        (0, 0),
        (1, 0),
        (1, 2),
    ]
    for more, matches in ((1, 1), (0, 0)):
        counts = np.array([3, pixels, pixels + more])
        metric = PanopticQuality(CATEGORIES)
        metric.update(replace(video, pixels=counts))
        iou = matches * (pixels + more) / (2 * pixels + more)
        assert metric.compute().per_class() == {1: (iou, matches, 1 - matches, 1 - matches)}
        stq = SegmentationTrackingQuality(CATEGORIES, "deeplab2")
        stq.update(replace(video, pixels=counts))
        assert stq.compute().total.aq == pytest.approx(0.25, abs=1e-11)


def test_frames_and_videos_from_panoptic_frames():
    ids = np.array([[0, 1], [1, 70000]], np.int32)
    frame = PanopticFrame("a", ids, {1: STUFF, 70000: THING})
    video = VideoTables.from_frames("v", [FrameTable.from_frames(frame, frame, video_id="v")] * 3)
    assert len(video) == 3 and len(video.between(1, 3)) == 2
    metric = VideoPanopticQuality(CATEGORIES, (1, 3))
    metric.update(video)
    result = metric.compute()
    assert (result.all, result.things, result.stuff) == (1.0, 1.0, 1.0)
    assert result.per_class == {0: 1.0, 1: 1.0}
    assert result.per_video == {"v": {1: 1.0, 3: 1.0}} and result.num_frames == {"v": 3}


def test_report():
    metric = VideoPanopticQuality(CATEGORIES, (1, 2))
    stq = SegmentationTrackingQuality(CATEGORIES)
    frame = table([1, 1, 5, 5], {1: STUFF, 5: THING}, [2, 2, 8, 0], {2: STUFF, 8: OTHER_THING})
    video = VideoTables.from_frames("v", [frame, frame])
    metric.update(video)
    stq.update(video)
    lines = format_table(metric.compute(), stq.compute(), per_class=True).splitlines()
    assert lines[2].split() == ["window", "1", "All", "33.333", "33.333", "33.333", "3"]
    assert lines[8].split() == ["VPQ(1,2)", "All", "33.333"]
    assert lines[9].split() == ["Things", "0.000"] and lines[10].split() == ["Stuff", "100.000"]
    row = next(line.split() for line in lines if line.startswith("dog"))
    assert row == ["dog", "thing", "0.000", "0.000", "0.000", "0", "2", "0"]


def test_metrics_need_numpy_alone():
    code = (
        "import sys, vps.metrics; "
        "heavy = ('torch', 'detectron2', 'fvcore', 'PIL', 'vps.d2', 'numba', 'scipy'); "
        "print([m for m in heavy if m in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
