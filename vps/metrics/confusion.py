"""Class against class: the confusion matrix of a video, from its tables, and mean IoU.

Rows are the classes of the ground truth, columns those of the prediction; the last column, C, is
for pixels where nothing is predicted. Void pixels of the ground truth count nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vps.metrics.video_metric import VideoMetric
from vps.metrics.video_tables import VideoTables
from vps.structures import Category


@dataclass(frozen=True, eq=False)
class PairClasses:
    """For each entry of a video's tables: the row of its segment in the listing, and its class.

    ``gt_rows``, ``pred_rows`` are -1, and ``gt_classes``, ``pred_classes`` are C (the number of
    categories), for void and for ids that nobody lists. All int64 [N].
    """

    gt_rows: np.ndarray
    pred_rows: np.ndarray
    gt_classes: np.ndarray
    pred_classes: np.ndarray

    @classmethod
    def of(cls, video: VideoTables, num_categories: int) -> PairClasses:
        """Look up the classes frame by frame; of an id listed twice the last entry counts."""
        sides = []
        for listing, ids in ((video.gt, video.gt_ids), (video.pred, video.pred_ids)):
            rows = listing.find(video.frames, ids)
            classes = np.full(len(ids), num_categories)
            classes[rows >= 0] = listing.categories[rows[rows >= 0]]
            sides.append((rows, classes))
        (gt_rows, gt_classes), (pred_rows, pred_classes) = sides
        return cls(gt_rows, pred_rows, gt_classes, pred_classes)


def confusion_matrix(pixels: np.ndarray, pairs: PairClasses, num_categories: int) -> np.ndarray:
    """Pixels int64 [C, C + 1] per (class of the ground truth, predicted class or C for none)."""
    matrix = np.zeros((num_categories + 1, num_categories + 1), np.int64)
    np.add.at(matrix, (pairs.gt_classes, pairs.pred_classes), pixels)
    return matrix[:num_categories]


@dataclass(frozen=True, eq=False)
class MeanIoUResult:
    """Semantic quality as fractions.

    Attributes:
        miou: mean IoU over the classes that the ground truth has; None without labelled pixels.
        fwiou: IoU weighted by the classes' pixels; None likewise.
        accuracy: part of the labelled pixels that have the right class; None likewise.
        per_class: {contiguous category: IoU} of the classes that the ground truth has.
        reason: why the means are None.
    """

    miou: float | None
    fwiou: float | None
    accuracy: float | None
    per_class: dict[int, float]
    reason: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        values = {
            "mIoU": self.miou,
            "fwIoU": self.fwiou,
            "pACC": self.accuracy,
            "per_class": {str(category): iou for category, iou in self.per_class.items()},
        }
        return values if self.reason is None else {**values, "reason": self.reason}


def mean_iou(confusion: np.ndarray) -> MeanIoUResult:
    """Mean IoU from a confusion matrix int64 [C, C + 1].

    The rule of Detectron2's semantic evaluator: classes without ground truth are left out, and a
    labelled pixel without a prediction is an error of its class.
    """
    truth = confusion.sum(axis=1)  # [C]
    right = np.diagonal(confusion)
    classes = np.flatnonzero(truth)
    if len(classes) == 0:
        return MeanIoUResult(None, None, None, {}, "the ground truth has no labelled pixel")
    iou = right[classes] / (truth + confusion[:, :-1].sum(axis=0) - right)[classes]
    total = int(truth.sum())
    return MeanIoUResult(
        miou=float(iou.mean()),
        fwiou=float((iou * truth[classes]).sum() / total),
        accuracy=float(right.sum() / total),
        per_class=dict(zip(classes.tolist(), iou.tolist(), strict=True)),
    )


class MeanIoU(VideoMetric):
    """Accumulates the confusion matrix of all videos; the sums are exact integers."""

    _settings = ("categories",)

    def __init__(self, categories: Sequence[Category]) -> None:
        self.categories = tuple(categories)
        super().__init__()

    def update(self, video: VideoTables) -> None:
        """Add one video.

        Raises:
            InputError: the video was scored before, or a category is unknown.
        """
        self._check_new(video.video_id)
        num = len(self.categories)
        video.check_categories(num)
        added = confusion_matrix(video.pixels, PairClasses.of(video, num), num)
        self._videos[video.video_id] = len(video)
        self._confusion = self._confusion + added

    def compute(self) -> MeanIoUResult:
        """Scores over all videos so far."""
        return mean_iou(self._confusion)

    def _clear(self) -> None:
        super()._clear()
        num = len(self.categories)
        self._confusion = np.zeros((num, num + 1), np.int64)

    def _add_totals(self, other: MeanIoU) -> None:
        self._confusion = self._confusion + other._confusion
