"""Matching of tubes in all windows of a video at once.

A window is k labelled frames in a row; a *tube* is all pixels of one id in it (a stuff class is one
tube). Areas and intersections of a tube are sums over its frames, so with prefix sums along time
those of any window are one difference, whatever k is. The rest is array arithmetic over
(windows x pairs of tubes that ever meet). VPQ: Kim et al., CVPR 2020, section 3.2.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vps.metrics.matching_rules import VIPSEG_RULES, MatchingRules
from vps.metrics.panoptic_scores import ClassCounts
from vps.metrics.tubes import Tubes, Windows
from vps.metrics.video_tables import VideoTables
from vps.structures import InputError

# int64 cells of one prefix table, 2 MB: tables that fit in a cache beat fewer, larger ones, and the
# memory of a video of any length stays at some 20 MB.
MAX_CELLS = 250_000


def window_starts(num_frames: int, window: int, rules: MatchingRules) -> np.ndarray:
    """First frames int64 [W] of the windows of ``window`` frames in a video of ``num_frames``."""
    clip = rules.clip_length or max(num_frames, 1)
    starts = [
        np.arange(begin, min(begin + clip, num_frames) - window + 1, rules.stride)
        for begin in range(0, num_frames, clip)
    ]
    return np.concatenate([np.zeros(0, np.int64), *starts])


def count_windows(
    video: VideoTables,
    window: int,
    num_categories: int,
    rules: MatchingRules = VIPSEG_RULES,
    *,
    max_cells: int = MAX_CELLS,
) -> tuple[ClassCounts, int]:
    """Match the tubes in every window of ``window`` labelled frames and add up per class.

    Args:
        video: the tables of one video, its categories checked. For ``tube_class="each_frame"`` give
            ``video.split_by_class()``.
        max_cells: a video whose prefix tables would be larger is handled in overlapping stretches.

    Returns:
        the counts and the number of windows (none where the video is shorter than a window).

    Raises:
        InputError: listed areas and pixels of the ground truth disagree so far that an IoU is
            above 1.
    """
    starts = window_starts(len(video), window, rules)
    counts = ClassCounts.zeros(num_categories)
    for stretch, stretch_starts in _stretches(video, starts, window, max_cells):
        windows = Windows(stretch_starts, window, len(stretch))
        counts = counts + _count_stretch(stretch, windows, num_categories, rules)
    return counts, len(starts)


def _stretches(
    video: VideoTables, starts: np.ndarray, window: int, max_cells: int
) -> Iterator[tuple[VideoTables, np.ndarray]]:
    """Halve the windows until the frames below them fit into the tables (or are one window)."""
    if len(starts) == 0:
        return
    first, last = int(starts[0]), int(starts[-1]) + window
    stretch = video.between(first, last)
    columns = len(stretch.pairs_that_meet[0])
    if len(starts) == 1 or (last - first + 1) * columns <= max_cells:
        yield stretch, starts - first
        return
    half = len(starts) // 2
    yield from _stretches(video, starts[:half], window, max_cells)
    yield from _stretches(video, starts[half:], window, max_cells)


def _count_stretch(
    video: VideoTables, windows: Windows, num_categories: int, rules: MatchingRules
) -> ClassCounts:
    keys, column = video.pairs_that_meet
    meeting = np.zeros((len(video), len(keys)), np.int64)  # [T, M]
    np.add.at(meeting, (video.frames, column), video.pixels)

    gt_of_pair, pred_of_pair = keys >> 24, keys & 0xFFFFFF
    gt_ids = _without_void(np.union1d(gt_of_pair, video.gt.ids))
    pred_ids = _without_void(np.union1d(pred_of_pair, video.pred.ids))
    gt_index = np.searchsorted(gt_ids, gt_of_pair)
    pred_index = np.searchsorted(pred_ids, pred_of_pair)
    on_gt, on_pred = gt_of_pair > 0, pred_of_pair > 0

    gt = Tubes.in_windows(
        video.gt,
        gt_ids,
        _add_columns(meeting, gt_index, on_gt, len(gt_ids)),
        windows,
        area=rules.ground_truth_area,
        duplicate_ids=rules.duplicate_ids,
    )
    pred_pixels = _add_columns(meeting, pred_index, on_pred, len(pred_ids))
    pred = Tubes.in_windows(video.pred, pred_ids, pred_pixels, windows)
    void = windows.sum(_add_columns(meeting, pred_index, on_pred & ~on_gt, len(pred_ids)))

    both = on_gt & on_pred
    common = windows.sum(meeting[:, both])
    problem, counts = match_tubes(
        gt, pred, common, gt_index[both], pred_index[both], void, num_categories, rules
    )
    if problem is not None:
        window, tube = problem
        raise InputError(
            f"ground-truth segment {gt_ids[tube]} of video {video.video_id} covers more pixels "
            f"than its listed areas say (window from frame "
            f"{video.frame_ids[windows.starts[window]]}); check the areas in the annotation file, "
            "or count pixels with ground_truth_area='pixels'"
        )
    return counts


def match_tubes(
    gt: Tubes,
    pred: Tubes,
    common: np.ndarray,
    g: np.ndarray,
    p: np.ndarray,
    void: np.ndarray,
    num_categories: int,
    rules: MatchingRules,
) -> tuple[tuple[int, int] | None, ClassCounts]:
    """Match tubes in W windows and add up IoU, TP, FP and FN per class.

    Args:
        gt, pred: G and P tubes.
        common: int64 [W, M], the pixels that M pairs of tubes have in common.
        g, p: int64 [M], the tubes of each pair.
        void: int64 [W, P], the pixels of each predicted tube that lie on void.

    Returns:
        (window, ground-truth tube) of an IoU above 1, else None; and the counts.
    """
    crowd = gt.crowd & (rules.crowd != "ordinary")
    sought = ~crowd & (gt.area >= rules.min_tube_area)
    same_class = (
        (common > 0)
        & gt.present[:, g]
        & pred.present[:, p]
        & (gt.category[:, g] == pred.category[:, p])
    )
    w, m = np.nonzero(same_class & sought[:, g])
    intersection = common[w, m]
    union = pred.area[w, p[m]] + gt.area[w, g[m]] - intersection
    if not rules.void_in_union:
        union -= void[w, p[m]]
    if (impossible := intersection > union).any():
        worst = int(np.flatnonzero(impossible)[0])
        return (int(w[worst]), int(g[m[worst]])), ClassCounts.zeros(num_categories)
    iou = intersection / union
    matched = iou > rules.match_threshold
    w, m, iou = w[matched], m[matched], iou[matched]
    gt_matched, pred_matched = np.zeros_like(gt.present), np.zeros_like(pred.present)
    gt_matched[w, g[m]] = True
    pred_matched[w, p[m]] = True
    missed = gt.present & ~gt_matched & sought

    excused = void.copy()
    if crowd.any():
        excusing = gt.last_listed_crowds() if rules.crowd == "last_listed" else crowd
        crowd_w, crowd_m = np.nonzero(same_class & excusing[:, g])
        np.add.at(excused, (crowd_w, p[crowd_m]), common[crowd_w, crowd_m])
    ignored = excused / np.maximum(pred.area, 1) > rules.ignore_threshold
    wrong = pred.present & ~pred_matched & ~ignored

    classes = gt.category[w, g[m]]
    return None, ClassCounts(
        iou=np.bincount(classes, weights=iou, minlength=num_categories),
        tp=np.bincount(classes, minlength=num_categories),
        fp=np.bincount(pred.category[wrong], minlength=num_categories),
        fn=np.bincount(gt.category[missed], minlength=num_categories),
    )


def _without_void(ids: np.ndarray) -> np.ndarray:
    return ids[ids > 0]


def _add_columns(
    table: np.ndarray, target: np.ndarray, chosen: np.ndarray, columns: int
) -> np.ndarray:
    """Add the chosen columns of a table [T, M] into those that ``target`` [M] names: [T, X]."""
    gathered = np.zeros((columns, len(table)), np.int64)
    np.add.at(gathered, target[chosen], table.T[chosen])
    return gathered.T
