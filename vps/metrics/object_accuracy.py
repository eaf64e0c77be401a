"""Region similarity J and contour accuracy F of objects in one frame, and their statistics over
time (Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object
Segmentation", CVPR 2016, section 5).

J is the IoU of the masks, 1 where both are empty; F is that of ``contours``. Over the frames of an
object stand the mean, the recall (share of frames above 0.5) and the decay (mean over the first
quarter of the frames minus mean over the last).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple

import numpy as np

from vps.metrics.boundary import LabelChanges, count_objects
from vps.metrics.contours import MatchContours, disk_radius, match_contours

QuarterEdges = Literal["uint8", "exact"]


class Statistics(NamedTuple):
    """Mean, recall and decay of a measure over frames; a decay of None is undefined."""

    mean: float
    recall: float
    decay: float | None


def score_objects(
    gt: np.ndarray,
    pred: np.ndarray,
    ids: Collection[int],
    *,
    bound: float = 0.008,
    matcher: MatchContours | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """J and F, float64 [N] each, of the objects ``ids`` in two label maps, integers [H, W].

    ``bound`` is the tolerance of F as a share of the diagonal, ``matcher`` as in
    ``match_contours``.
    """
    changes = LabelChanges.of(gt), LabelChanges.of(pred)
    regions = count_objects(gt, pred, ids, changes=changes)
    radius = disk_radius(gt.shape, bound)
    matches = match_contours(gt, pred, ids, radius, matcher=matcher, changes=changes)
    return regions.mask_iou(), matches.f_measure()


def statistics_of(values: np.ndarray, *, quarter_edges: QuarterEdges = "uint8") -> Statistics:
    """Statistics of a measure over the N >= 1 frames of an object, float64 [N].

    Args:
        quarter_edges: "exact", or "uint8" as the official program, whose indices of quarters wrap
            at 256: from 257 frames on its decay is meaningless, or undefined (None).
    """
    edges = np.round(np.linspace(1, len(values), 5) + 1e-10).astype(np.int64) - 1
    if quarter_edges == "uint8":
        edges %= 256
    # Neighbouring quarters share the frame between them.
    first, last = values[edges[0] : edges[1] + 1], values[edges[3] : edges[4] + 1]
    decay = float(first.mean() - last.mean()) if len(first) and len(last) else None
    return Statistics(float(values.mean()), float((values > 0.5).mean()), decay)
