"""VPQ and STQ written down as plainly as possible, from whole pixel maps, to check the fast code.

Every window stacks its maps and counts with ``np.unique``; nothing is shared between windows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vps.structures import Category, Segment


@dataclass
class NaiveFrame:
    """Maps int32 [H, W] and {id: Segment} of both sides."""

    gt: np.ndarray
    gt_segments: dict[int, Segment]
    pred: np.ndarray
    pred_segments: dict[int, Segment]


def naive_vpq_counts(videos, window, num_categories, rules):
    """Sum of IoU, TP, FP, FN per class: float64 [C, 4]."""
    counts = np.zeros((num_categories, 4))
    for frames in videos:
        clip = rules.clip_length or max(len(frames), 1)
        for begin in range(0, len(frames), clip):
            part = frames[begin : begin + clip]
            for start in range(0, len(part) - window + 1, rules.stride):
                count_window(part[start : start + window], counts, rules)
    return counts


def count_window(frames, counts, rules):
    gt_tubes, pred_tubes = {}, {}
    for frame in frames:
        for tubes, ids, segments, stated in (
            (gt_tubes, frame.gt, frame.gt_segments, rules.ground_truth_area == "listed"),
            (pred_tubes, frame.pred, frame.pred_segments, False),
        ):
            for segment_id, segment in segments.items():
                area = segment.area if stated else None
                area = int((ids == segment_id).sum()) if area is None else area
                if segment_id in tubes:
                    tubes[segment_id]["area"] += area
                else:
                    tubes[segment_id] = {
                        "area": area,
                        "category": segment.category,
                        "crowd": segment.iscrowd and rules.crowd != "ordinary",
                    }
    stacked = np.stack(
        [
            np.concatenate([frame.gt.ravel() for frame in frames]),
            np.concatenate([frame.pred.ravel() for frame in frames]),
        ]
    )
    pairs, pixels = np.unique(stacked, axis=1, return_counts=True)
    common = {(int(g), int(p)): int(n) for (g, p), n in zip(pairs.T, pixels, strict=True)}

    matched_gt, matched_pred = set(), set()
    for (g, p), inter in common.items():
        if g not in gt_tubes or p not in pred_tubes or gt_tubes[g]["crowd"]:
            continue
        if gt_tubes[g]["area"] < rules.min_tube_area:
            continue
        category = gt_tubes[g]["category"]
        if category != pred_tubes[p]["category"]:
            continue
        union = pred_tubes[p]["area"] + gt_tubes[g]["area"] - inter
        if not rules.void_in_union:
            union -= common.get((0, p), 0)
        if inter / union > rules.match_threshold:
            counts[category] += (inter / union, 1, 0, 0)
            matched_gt.add(g)
            matched_pred.add(p)
    crowds = {}
    for g, tube in gt_tubes.items():
        if tube["crowd"]:
            same_class = crowds.get(tube["category"], [])
            crowds[tube["category"]] = [g] if rules.crowd == "last_listed" else [*same_class, g]
        elif g not in matched_gt and tube["area"] >= rules.min_tube_area:
            counts[tube["category"], 3] += 1
    for p, tube in pred_tubes.items():
        if p in matched_pred:
            continue
        excused = common.get((0, p), 0)
        excused += sum(common.get((g, p), 0) for g in crowds.get(tube["category"], []))
        if excused / tube["area"] <= rules.ignore_threshold:
            counts[tube["category"], 2] += 1


def naive_means(counts, members):
    """PQ, SQ, RQ over the classes of ``members``, and their number; None where there is none."""
    rows = [counts[c] for c in members if counts[c, 1:].sum() > 0]
    if not rows:
        return None, None, None, 0
    pq = np.mean([iou / (tp + fp / 2 + fn / 2) for iou, tp, fp, fn in rows])
    sq = np.mean([iou / tp if tp else 0.0 for iou, tp, fp, fn in rows])
    rq = np.mean([tp / (tp + fp / 2 + fn / 2) for iou, tp, fp, fn in rows])
    return pq, sq, rq, len(rows)


def naive_stq(videos, categories: list[Category], *, crowd, void_column=True):
    """STQ, AQ, SQ over all videos, and the number of tubes, from painted class and id maps."""
    void = len(categories)
    things = {c for c, category in enumerate(categories) if category.isthing}
    confusion = np.zeros((void + 1, void + 1), np.int64)
    association, tubes = 0.0, 0
    for frames in videos:
        if not frames:
            continue
        gt_class, gt_id, pred_class, pred_id, ignored = [], [], [], [], []
        for frame in frames:
            for ids, segments, to_class, to_id in (
                (frame.gt, frame.gt_segments, gt_class, gt_id),
                (frame.pred, frame.pred_segments, pred_class, pred_id),
            ):
                classes = np.full(ids.shape, void)
                for segment_id, segment in segments.items():
                    classes[ids == segment_id] = segment.category
                to_class.append(classes.ravel())
                to_id.append(ids.ravel())
            crowds = [i for i, segment in frame.gt_segments.items() if segment.iscrowd]
            ignored.append(np.isin(frame.gt.ravel(), crowds if crowd == "listed" else []))
        gt_class, gt_id = np.concatenate(gt_class), np.concatenate(gt_id)
        pred_class, pred_id = np.concatenate(pred_class), np.concatenate(pred_id)
        np.add.at(confusion, (gt_class, pred_class), 1)
        ignored = np.concatenate(ignored)
        if crowd == "first_listed":
            listed = [i for frame in frames for i in frame.gt_segments]
            ignored = np.isin(gt_id, listed[:1])
        gt_thing = np.isin(gt_class, list(things))
        ignored &= gt_thing
        gt_thing &= ~ignored
        pred_thing = np.isin(pred_class, list(things)) & ~ignored
        gt_tube = list(zip(gt_class.tolist(), gt_id.tolist(), strict=True))
        pred_tube = list(zip(pred_class.tolist(), pred_id.tolist(), strict=True))
        gt_area, pred_area, common = {}, {}, {}
        for index in range(len(gt_tube)):
            g, p = gt_tube[index], pred_tube[index]
            if gt_thing[index]:
                gt_area[g] = gt_area.get(g, 0) + 1
            if pred_thing[index]:
                pred_area[p] = pred_area.get(p, 0) + 1
            if gt_thing[index] and pred_thing[index]:
                common[g, p] = common.get((g, p), 0) + 1
        tubes += len(gt_area)
        for (g, p), tpa in common.items():
            association += tpa * tpa / (gt_area[g] + pred_area[p] - tpa) / gt_area[g]
    confusion[void] = 0
    ious = []
    for c in range(void + 1 if void_column else void):
        union = confusion[c].sum() + confusion[:, c].sum() - confusion[c, c]
        if union:
            ious.append(confusion[c, c] / union)
    sq = np.mean(ious) if ious else None
    aq = association / tubes if tubes else (0.0 if any(videos) else None)
    return (None if sq is None else math.sqrt(sq * aq)), aq, sq, tubes
