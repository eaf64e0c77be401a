"""Areas, intersections and boundary bands of all objects of a frame, in one pass.

The boundary band of an object (Cheng et al., "Boundary IoU", CVPR 2021) is its mask minus the mask
eroded by a (2d+1) x (2d+1) square, where what lies outside the image is not the object. Evaluators
erode object by object; but the masks of a label map are disjoint, so a pixel survives exactly when
the whole square around it lies in the image and has one label, whichever that is. One map of where
the labels change, dilated once, therefore gives the bands of all objects, and the cost does not
depend on their number.

Counting then looks only at runs of equal (ground truth, prediction, band, band) along the rows,
some ten thousand per frame. Label maps are integers [H, W], any ids >= 0.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from vps.compiled import load_kernels
from vps.metrics import bit_rows
from vps.structures import InputError

SMALL_IDS = 1 << 16  # labels below are counted by a plain histogram


@dataclass(frozen=True, eq=False)
class ObjectCounts:
    """Pixels of N objects in one frame; every array is int64 [N].

    Attributes:
        ids: the objects, as asked for.
        gt, pred, common: area in the ground truth, in the prediction, in both.
        gt_band, pred_band, common_band: the same of the boundary bands; None where not asked for.
    """

    ids: np.ndarray
    gt: np.ndarray
    pred: np.ndarray
    common: np.ndarray
    gt_band: np.ndarray | None = None
    pred_band: np.ndarray | None = None
    common_band: np.ndarray | None = None

    def mask_iou(self) -> np.ndarray:
        """float64 [N]: IoU of the masks; 1 where both are empty."""
        return _iou(self.gt, self.pred, self.common, empty=1.0)

    def boundary_iou(self) -> np.ndarray:
        """float64 [N]: IoU of the bands; 1 where both masks are empty."""
        return _iou(self.gt_band, self.pred_band, self.common_band, empty=1.0)


def band_width(shape: tuple[int, int], ratio: float = 0.02) -> int:
    """Width d of the boundary band in pixels: a share of the image's diagonal, at least 1."""
    return max(1, round(ratio * math.hypot(*shape)))


def count_objects(
    gt: np.ndarray,
    pred: np.ndarray,
    ids: Collection[int],
    width: int | None = None,
    *,
    changes: tuple[LabelChanges, LabelChanges] | None = None,
) -> ObjectCounts:
    """Count the pixels and, given a ``width``, the boundary bands of objects in two label maps.

    Args:
        gt, pred: integers [H, W] of one shape, >= 0.
        ids: the objects N, each > 0; other labels are not counted.
        width: width d >= 1 of the boundary bands, see ``band_width``; None: no bands.
        changes: those of the two maps, where they are known already.
    """
    wanted = np.fromiter(ids, np.int64, len(ids))
    if gt.size == 0 or len(wanted) == 0:
        nothing = np.zeros(len(wanted), np.int64)
        return ObjectCounts(wanted, *[nothing] * (3 if width is None else 6))
    changes = changes or (LabelChanges.of(gt), LabelChanges.of(pred))
    run_ends = changes[0].right | changes[1].right
    bands = None
    if width is not None:
        bands = [one.bands(width) for one in changes]
        for band in bands:  # a change between a pixel and the next is marked at the pixel
            run_ends |= band ^ bit_rows.earlier(band, 1)
    places, ends = _run_ends(run_ends, gt.shape[1])
    lengths = np.diff(ends, prepend=-1)
    gt_label, pred_label = gt.ravel()[ends], pred.ravel()[ends]
    agree = np.flatnonzero(gt_label == pred_label)
    if bands is None:
        return ObjectCounts(
            wanted,
            _sum_by_label(gt_label, lengths, wanted),
            _sum_by_label(pred_label, lengths, wanted),
            _sum_by_label(gt_label[agree], lengths[agree], wanted),
        )
    on_gt, on_pred = (bit_rows.contains(band, places) for band in bands)
    on_both = (on_gt & on_pred)[agree]
    areas, band_areas = zip(
        _sum_by_label(gt_label, lengths, wanted, on_gt),
        _sum_by_label(pred_label, lengths, wanted, on_pred),
        _sum_by_label(gt_label[agree], lengths[agree], wanted, on_both),
        strict=True,
    )
    return ObjectCounts(wanted, *areas, *band_areas)


def present_ids(labels: np.ndarray) -> np.ndarray:
    """The distinct labels of integers [H, W], sorted."""
    if labels.size == 0:
        return np.zeros(0, labels.dtype)
    _, ends = _run_ends(LabelChanges.of(labels).right, labels.shape[1])
    return np.unique(labels.ravel()[ends])


@dataclass(frozen=True, eq=False)
class LabelChanges:
    """Where the labels of a map [H, W] change, as bitmaps (see ``bit_rows``) of H rows.

    Attributes:
        right: a pixel differs from the one to its right; 0 in the last column.
        below: a pixel differs from the one below it; 0 in the last row.
        shape: (H, W).
    """

    right: np.ndarray
    below: np.ndarray
    shape: tuple[int, int]

    @classmethod
    def of(cls, labels: np.ndarray) -> LabelChanges:
        """Compare each label of integers [H, W] with its neighbours."""
        right, below = np.empty(labels.shape, bool), np.empty(labels.shape, bool)
        right[:, -1:], below[-1:] = False, False
        np.not_equal(labels[:, :-1], labels[:, 1:], out=right[:, :-1])
        np.not_equal(labels[:-1], labels[1:], out=below[:-1])
        return cls(bit_rows.pack(right), bit_rows.pack(below), labels.shape)

    def blocks(self) -> np.ndarray:
        """Pixels that with their right, lower and lower right neighbours (those that lie in the
        image) do not all have one label.
        """
        mixed = self.right | self.below
        mixed[:-1] |= self.right[1:]
        return mixed

    def bands(self, width: int) -> np.ndarray:
        """Pixels in the boundary band of their label: a square of 2 ``width`` + 1 pixels around
        them leaves the image or holds another label.
        """
        height, columns = self.shape
        # The square holds (2 width)^2 blocks of 2x2 pixels, from ``width`` above and to the left of
        # the pixel to ``width`` - 1 below and to the right.
        kernels = load_kernels("vps.metrics.boundary_kernels") or bit_rows
        mixed = kernels.dilate_square(self.blocks(), 2 * width)
        band = np.full_like(mixed, bit_rows.ONES)
        if height > 2 * width and columns > 2 * width:
            inside = np.zeros(columns, bool)
            inside[width : columns - width] = True
            end = height - width
            band[width:end] = bit_rows.earlier(mixed[2 * width - 1 : height - 1], width - 1)
            band[width:end] |= ~bit_rows.pack(inside)
        return band


def _run_ends(ends: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The last pixel of every run, int64 [R], from a bitmap of where runs end: its place in the
    bitmap, and its position in the flattened map. Every row ends one, which is written into the
    bitmap.
    """
    last_bit = (width - 1) % 64
    ends[:, -1] &= np.uint64((1 << last_bit) - 1)  # what stands beyond the width is not an image
    ends[:, -1] |= np.uint64(1 << last_bit)
    places = bit_rows.set_places(ends)
    return places, bit_rows.pixels_at(places, ends.shape[1], width)


def _sum_by_label(
    labels: np.ndarray, lengths: np.ndarray, wanted: np.ndarray, chosen: np.ndarray | None = None
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Add the lengths of the runs of each wanted label: int64 [N]; given ``chosen``, bool [R], also
    those of the chosen runs alone. (Sums in float64 are exact.)
    """
    largest = int(labels.max(initial=0))
    if largest < SMALL_IDS:
        place, known = np.minimum(wanted, largest), wanted <= largest
        index, number = labels, largest + 1
    else:
        present, index = np.unique(labels, return_inverse=True)
        index, number = index.reshape(-1), len(present)
        place = np.minimum(np.searchsorted(present, wanted), number - 1)
        known = present[place] == wanted
    if chosen is None:
        sums = np.bincount(index, weights=lengths, minlength=number)
        return np.where(known, sums[place], 0).astype(np.int64)
    index = index.astype(np.intp)
    index += number * chosen  # the chosen runs in a second row
    sums = np.bincount(index, weights=lengths, minlength=2 * number).reshape(2, number)
    sums = np.where(known, sums[:, place], 0).astype(np.int64)
    return sums[0] + sums[1], sums[1]


def _iou(gt: np.ndarray, pred: np.ndarray, common: np.ndarray, *, empty: float) -> np.ndarray:
    union = gt + pred - common
    iou = np.full(len(union), empty)
    np.divide(common, union, out=iou, where=union > 0)
    return iou


def check_label_maps(gt: np.ndarray, pred: np.ndarray, where: str) -> None:
    """Raise InputError unless both are label maps [H, W] of one shape; ``where`` names the frame.

    Ids of the prediction are not looked at: which of them count is up to the metric.
    """
    for side, labels in (("ground truth", gt), ("prediction", pred)):
        if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer):
            raise InputError(
                f"expected a map of object ids, integers [H, W], got {labels.dtype} "
                f"{list(labels.shape)} as the {side} of {where}"
            )
    if gt.shape != pred.shape:
        raise InputError(
            f"expected a prediction of {gt.shape[0]}x{gt.shape[1]} pixels (the size of the ground "
            f"truth), got {pred.shape[0]}x{pred.shape[1]} in {where}; predictions are scored at "
            "the original resolution"
        )
