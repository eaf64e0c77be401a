"""One sparse table per frame: how many pixels have each pair (ground-truth id, predicted id).

PQ, VPQ at every window, STQ and mIoU are sums of this table, so the pixels of a frame are looked at
once and then forgotten. Beside the table stand the segments that either side lists, in the order of
their listing (two official rules depend on that order).

Neighbouring pixels nearly always carry the same pair, so the table is made from runs of equal
pixels (some ten thousand per frame) instead of from all pixels: no look-up table over the id space
is needed and ids may be anything up to 2^24 - 1. Where the runs of both sides are known already, as
from ``vps.io``'s reader of PNGs, no pixel is needed at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from vps.compiled import load_kernels
from vps.structures import MAX_ID, InputError, LabelRuns, PanopticFrame, Segment

SegmentsLike = Mapping[int, Segment] | Iterable[tuple[int, Segment]]

_MOST_CELLS = 1 << 20  # of a table of all pairs of ids; noise has more, and is sorted
_LOW, _SIGN = 0xFFFFFFFF, 0x80000000  # the lower half of a 64-bit key and its sign bit


@dataclass(frozen=True, eq=False)
class SegmentList:
    """The segments that one side lists for one frame, in the order of the listing.

    Attributes:
        ids: int64 [S], > 0. An id may stand there twice (the official ground-truth readers
            tolerate it); ``duplicate_ids`` of the metrics' rules says what that means.
        categories: int64 [S], contiguous.
        crowd: bool [S].
        areas: int64 [S], pixels as the annotation file states them; -1 where it does not.
    """

    ids: np.ndarray
    categories: np.ndarray
    crowd: np.ndarray
    areas: np.ndarray

    @classmethod
    def from_segments(cls, segments: SegmentsLike) -> SegmentList:
        """Take {id: Segment}, or (id, Segment) pairs where an id may occur twice."""
        pairs = list(segments.items() if isinstance(segments, Mapping) else segments)
        return cls(
            ids=np.array([segment_id for segment_id, _ in pairs], dtype=np.int64),
            categories=np.array([segment.category for _, segment in pairs], dtype=np.int64),
            crowd=np.array([segment.iscrowd for _, segment in pairs], dtype=bool),
            areas=np.array(
                [-1 if segment.area is None else segment.area for _, segment in pairs],
                dtype=np.int64,
            ),
        )


@dataclass(frozen=True, eq=False)
class FrameTable:
    """Pixel counts of one frame and the segments behind the ids.

    Attributes:
        frame_id: name of the frame.
        gt_ids, pred_ids: int64 [N], the pairs of ids that occur, each once; 0 = void.
        pixels: int64 [N], how many pixels have the pair.
        gt_segments, pred_segments: what the ids mean.
    """

    frame_id: str
    gt_ids: np.ndarray
    pred_ids: np.ndarray
    pixels: np.ndarray
    gt_segments: SegmentList
    pred_segments: SegmentList

    @classmethod
    def from_frames(
        cls,
        ground_truth: PanopticFrame,
        prediction: PanopticFrame,
        *,
        video_id: str = "",
        strict_ground_truth: bool = True,
    ) -> FrameTable:
        """Count two PanopticFrames; the arguments and errors are those of ``from_maps``."""
        return cls.from_maps(
            ground_truth.ids,
            ground_truth.segments,
            prediction.ids,
            prediction.segments,
            frame_id=ground_truth.frame_id,
            video_id=video_id,
            strict_ground_truth=strict_ground_truth,
        )

    @classmethod
    def from_maps(
        cls,
        gt_ids: np.ndarray,
        gt_segments: SegmentsLike,
        pred_ids: np.ndarray,
        pred_segments: SegmentsLike,
        *,
        frame_id: str,
        video_id: str = "",
        strict_ground_truth: bool = True,
    ) -> FrameTable:
        """Count two maps of segment ids.

        Args:
            gt_ids, pred_ids: integers [H, W] in 0..2^24-1, 0 = void.
            gt_segments, pred_segments: {id: Segment}, or pairs (id, Segment).
            frame_id, video_id: names for the error messages.
            strict_ground_truth: also refuse a ground truth whose pixels and listing disagree. The
                official evaluators do not: a painted id that nobody lists is neither void nor a
                segment there, and a listed id that nobody painted is a segment that was missed.

        Raises:
            InputError: the maps differ in size; an id is out of range; a prediction paints an id
                that it does not list, lists one that it does not paint, or lists one twice.
        """
        return cls.from_runs(
            LabelRuns.from_map(gt_ids),
            gt_segments,
            LabelRuns.from_map(pred_ids),
            pred_segments,
            frame_id=frame_id,
            video_id=video_id,
            strict_ground_truth=strict_ground_truth,
        )

    @classmethod
    def from_runs(
        cls,
        gt_runs: LabelRuns,
        gt_segments: SegmentsLike,
        pred_runs: LabelRuns,
        pred_segments: SegmentsLike,
        *,
        frame_id: str,
        video_id: str = "",
        strict_ground_truth: bool = True,
    ) -> FrameTable:
        """Count two maps given as runs; the arguments and errors are those of ``from_maps``."""
        where = f"frame {frame_id} of video {video_id}" if video_id else f"frame {frame_id}"
        if gt_runs.shape != pred_runs.shape:
            raise InputError(
                f"expected a prediction of {_size(gt_runs)} pixels (the size of the ground truth), "
                f"got {_size(pred_runs)} in {where}; predictions are scored at the original "
                "resolution"
            )
        pair_gt, pair_pred, pixels = count_run_pairs(gt_runs, pred_runs)
        gt_list = SegmentList.from_segments(gt_segments)
        pred_list = SegmentList.from_segments(pred_segments)
        _check_ids("ground truth", pair_gt, gt_list, where, strict=strict_ground_truth)
        _check_ids("prediction", pair_pred, pred_list, where, strict=True)
        return cls(frame_id, pair_gt, pair_pred, pixels, gt_list, pred_list)


def count_pairs(
    gt_ids: np.ndarray, pred_ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count the pixels of every pair of ids in two integer maps of one shape (int32 values).

    Returns:
        ground-truth ids, predicted ids and pixel counts, int64 [N] each, sorted by the pair.
    """
    return count_run_pairs(LabelRuns.from_map(gt_ids), LabelRuns.from_map(pred_ids))


def count_run_pairs(gt: LabelRuns, pred: LabelRuns) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count the pixels of every pair of ids in two maps of one size; returns as ``count_pairs``."""
    if gt.size == 0:
        return (np.zeros(0, np.int64),) * 3
    if kernels := load_kernels("vps.metrics.kernels"):
        keys, pixels = kernels.count_run_pairs(gt.starts, gt.ids, pred.starts, pred.ids, gt.size)
        keys = keys.view(np.int64)
        order = np.argsort(keys)
        keys, pixels = keys[order], pixels[order]
        # The lower half with its sign: a negative id stays negative.
        return keys >> 32, ((keys & _LOW) ^ _SIGN) - _SIGN, pixels
    gt_ids, gt_number = _number_ids(gt)
    pred_ids, pred_number = _number_ids(pred)
    gt_run, pred_run, lengths = _merge_runs(gt, pred)
    cells = gt_number[gt_run] * len(pred_ids) + pred_number[pred_run]
    cells, pixels = _add_up(cells, lengths, len(gt_ids) * len(pred_ids))
    return gt_ids[cells // len(pred_ids)], pred_ids[cells % len(pred_ids)], pixels


def _number_ids(runs: LabelRuns) -> tuple[np.ndarray, np.ndarray]:
    """The distinct ids int64, ascending, and the place among them of every run's id."""
    ids = np.unique(runs.ids)
    return ids.astype(np.int64), np.searchsorted(ids, runs.ids)


def _merge_runs(gt: LabelRuns, pred: LabelRuns) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One list of R runs from two: the run of either map, and pixels, int64 [R] each; 0 pixels
    where both maps begin a run.
    """
    starts = np.concatenate([gt.starts, pred.starts])
    order = np.argsort(starts, kind="stable")  # merges two ascending halves in linear time
    gt_run = np.cumsum(order < len(gt.starts)) - 1  # the last run of each map that has begun
    pred_run = np.arange(len(order)) - gt_run - 1
    # Both maps begin at 0, where for one step no run of the prediction has begun yet; it is empty.
    return gt_run, pred_run, np.diff(starts[order], append=gt.size)


def _add_up(cells: np.ndarray, pixels: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values among ``cells``, int64 [R] in 0..number-1, that have pixels, ascending,
    and the sums of their pixels. (Sums in float64 are exact.)
    """
    present = None
    if number > _MOST_CELLS:
        present, cells = np.unique(cells, return_inverse=True)
        number = len(present)
    sums = np.bincount(cells.reshape(-1), weights=pixels, minlength=number)
    used = np.flatnonzero(sums)
    return used if present is None else present[used], sums[used].astype(np.int64)


def _check_ids(
    side: str, painted: np.ndarray, listed: SegmentList, where: str, *, strict: bool
) -> None:
    ids = np.concatenate([painted, listed.ids])
    if out_of_range := sorted(set(ids[(ids < 0) | (ids > MAX_ID)].tolist())):
        raise InputError(
            f"expected segment ids in 0..{MAX_ID}, got {_some(out_of_range)} in the {side} of "
            f"{where}"
        )
    if (listed.ids == 0).any():
        raise InputError(
            f"segment id 0 is void and cannot be listed as a segment in the {side} of {where}"
        )
    if not strict:
        return
    painted_ids, listed_ids = set(painted.tolist()) - {0}, set(listed.ids.tolist())
    if unlisted := sorted(painted_ids - listed_ids):
        raise InputError(
            f"the {side} of {where} paints segment ids {_some(unlisted)} that its list of segments "
            "lacks"
        )
    if unpainted := sorted(listed_ids - painted_ids):
        raise InputError(
            f"the {side} of {where} lists segment ids {_some(unpainted)} that no pixel has; list "
            "only what is painted"
        )
    if len(listed_ids) != len(listed.ids):
        ids, counts = np.unique(listed.ids, return_counts=True)
        raise InputError(
            f"the {side} of {where} lists segment ids {_some(ids[counts > 1].tolist())} twice"
        )


def _size(runs: LabelRuns) -> str:
    return "x".join(map(str, runs.shape))


def _some(ids: list[int], most: int = 5) -> str:
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return ", ".join(map(str, ids[:most])) + more
