"""Contour accuracy F of DAVIS, for all objects of a frame (Perazzi et al., CVPR 2016, section 5).

The contour of an object is one pixel wide: the pixels whose membership differs from that of their
right, lower or lower right neighbour. In the last row only the right neighbour is looked at, in the
last column only the lower one, so an object that fills the frame has no contour at all (official).
A contour pixel matches when the other side's contour passes within a disk around it; precision and
recall are the matched shares of the predicted and the true contour, F their harmonic mean.

The contours of all objects are found in one scan, since each of the up to four labels at a place
where labels meet has a contour there. The disk is then ORed over bitmaps (see ``bit_rows``) of just
the part of the frame where the two contours of an object can meet.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from vps.compiled import load_kernels
from vps.metrics import bit_rows
from vps.metrics.boundary import LabelChanges


@dataclass(frozen=True, eq=False)
class ContourMatches:
    """Contour pixels of N objects; every array is int64 [N].

    Attributes:
        ids: the objects, as asked for.
        gt, pred: contour pixels of the ground truth and of the prediction.
        gt_matched, pred_matched: those that have a contour pixel of the other side in their disk.
    """

    ids: np.ndarray
    gt: np.ndarray
    pred: np.ndarray
    gt_matched: np.ndarray
    pred_matched: np.ndarray

    def precision_recall(self) -> tuple[np.ndarray, np.ndarray]:
        """float64 [N] each. With one contour empty, its share is 1 and the other's is 0; with both
        empty, both are 1.
        """
        precision = _share(self.pred_matched, self.pred)
        recall = _share(self.gt_matched, self.gt)
        return precision, recall

    def f_measure(self) -> np.ndarray:
        """float64 [N], 0 where precision and recall are 0."""
        precision, recall = self.precision_recall()
        both = precision + recall
        f = np.zeros(len(both))
        np.divide(2 * precision * recall, both, out=f, where=both > 0)
        return f


def disk_radius(shape: tuple[int, int], bound: float = 0.008) -> int:
    """Radius of the disk in pixels: a share of the image's diagonal rounded up, or, from a
    ``bound`` of 1 on, the bound itself.
    """
    return int(bound) if bound >= 1 else math.ceil(bound * math.hypot(*shape))


Contour = tuple[np.ndarray, np.ndarray]  # rows and columns of its pixels, int64 [M] each
MatchContours = Callable[[Contour, Contour, int], tuple[int, int]]


def match_contours(
    gt: np.ndarray,
    pred: np.ndarray,
    ids: Collection[int],
    radius: int,
    *,
    matcher: MatchContours | None = None,
    changes: tuple[LabelChanges, LabelChanges] | None = None,
) -> ContourMatches:
    """Compare the contours of objects in two label maps.

    Args:
        gt, pred: integers [H, W] of one shape, >= 0.
        ids: the objects N, each > 0.
        radius: radius of the disk in pixels, see ``disk_radius``.
        matcher: what counts the matches of one object; None: ``choose_matcher()``.
        changes: those of the two maps, where they are known already.
    """
    matcher = matcher or choose_matcher()
    wanted = np.fromiter(ids, np.int64, len(ids))
    gt_changes, pred_changes = changes or (None, None)
    gt_contours = contours(gt, wanted, gt_changes)
    pred_contours = contours(pred, wanted, pred_changes)
    counts = np.zeros((4, len(wanted)), np.int64)
    for index, (true, guess) in enumerate(zip(gt_contours, pred_contours, strict=True)):
        counts[:2, index] = len(true[0]), len(guess[0])
        if len(true[0]) and len(guess[0]):
            counts[2:, index] = matcher(true, guess, radius)
    return ContourMatches(wanted, *counts)


def choose_matcher() -> MatchContours:
    """The compiled ``count_matches`` where numba is there and wanted, else the one of this file."""
    kernels = load_kernels("vps.metrics.boundary_kernels")
    return count_matches if kernels is None else kernels.count_matches


def contours(
    labels: np.ndarray, ids: np.ndarray, changes: LabelChanges | None = None
) -> list[Contour]:
    """The contour of each object of ``ids`` in a label map: rows and columns, int64 [M] each.

    ``changes`` are those of the map, where they are known already.
    """
    if labels.size == 0:
        return [(np.zeros(0, np.int64),) * 2 for _ in ids]
    blocks = (changes or LabelChanges.of(labels)).blocks()
    height, width = labels.shape
    flat = labels.ravel()
    here = bit_rows.pixels_at(bit_rows.set_places(blocks), blocks.shape[1], width)
    rows, columns = np.divmod(here, width)
    # Repeating the last row and column gives just DAVIS' rule for them.
    right = (columns + 1 < width).astype(np.int64)
    below = np.where(rows + 1 < height, width, 0)
    corners = [flat[here], flat[here + right], flat[here + below], flat[here + right + below]]
    found_labels, found_places = [], []
    for index, label in enumerate(corners):
        new = label > 0
        for earlier in corners[:index]:
            new &= label != earlier
        found_labels.append(label[new])
        found_places.append(here[new])
    found, places = np.concatenate(found_labels), np.concatenate(found_places)
    order = np.argsort(found, kind="stable")
    found, places = found[order], places[order]
    begin, end = np.searchsorted(found, ids, "left"), np.searchsorted(found, ids, "right")
    return [np.divmod(places[first:last], width) for first, last in zip(begin, end, strict=True)]


def count_matches(gt: Contour, pred: Contour, radius: int) -> tuple[int, int]:
    """How many pixels of a true contour have one of the predicted contour in the disk around them,
    and the other way round. Contours are rows and columns, int64 [M], not empty.
    """
    top, bottom = _overlap(gt[0], pred[0], radius)
    left, right = _overlap(gt[1], pred[1], radius)
    if top > bottom or left > right:
        return 0, 0
    masks = np.zeros((2, bottom - top + 1, right - left + 1), bool)
    inside = []
    for mask, (rows, columns) in zip(masks, (gt, pred), strict=True):
        near = (rows >= top) & (rows <= bottom) & (columns >= left) & (columns <= right)
        rows, columns = rows[near] - top, columns[near] - left
        mask[rows, columns] = True
        inside.append(bit_rows.places_of(rows, columns, bit_rows.num_words(mask.shape[1])))
    gt_reach, pred_reach = bit_rows.dilate_disk(bit_rows.pack(masks), radius)
    return (
        int(bit_rows.contains(pred_reach, inside[0]).sum()),
        int(bit_rows.contains(gt_reach, inside[1]).sum()),
    )


def _overlap(one: np.ndarray, other: np.ndarray, radius: int) -> tuple[int, int]:
    """The first and the last row (or column) that lies within the radius of both contours."""
    first = max(one.min(), other.min()) - radius
    return int(first), int(min(one.max(), other.max()) + radius)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    share = np.ones(len(whole))
    np.divide(part, whole, out=share, where=whole > 0)
    return share
