"""Which ground-truth box does each anchor or proposal answer for, and which of them are trained on.

Labels: 1 positive, 0 negative, -1 ignored.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class Matcher:
    """Match predictions to ground truth by intersection over union (Faster R-CNN, section 3.1.2).

    Args:
        thresholds: increasing IoU values that part [0, inf) into len(thresholds) + 1 intervals.
        labels: the label of each interval, e.g. thresholds (0.3, 0.7) with labels (0, -1, 1).
        allow_low_quality_matches: each ground truth also makes its best predictions positive,
            however small their IoU.
    """

    def __init__(
        self,
        thresholds: Sequence[float],
        labels: Sequence[int],
        *,
        allow_low_quality_matches: bool = False,
    ):
        if len(labels) != len(thresholds) + 1 or list(thresholds) != sorted(thresholds):
            raise ValueError(
                "expected increasing thresholds and one label more than thresholds, "
                f"got thresholds {list(thresholds)} and labels {list(labels)}"
            )
        self.thresholds = list(thresholds)
        self.labels = list(labels)
        self.allow_low_quality_matches = allow_low_quality_matches

    def __call__(self, quality: Tensor) -> tuple[Tensor, Tensor]:
        """Match the columns of a quality matrix to its rows.

        Args:
            quality: IoU, float (G, N): G ground truths, N predictions. G = 0 is allowed.

        Returns:
            index of the matched ground truth, long (N,), 0 where there is none at all;
            labels, int8 (N,).
        """
        count = quality.shape[1]
        if quality.numel() == 0:
            index = torch.zeros(count, dtype=torch.long, device=quality.device)
            return index, torch.full_like(index, self.labels[0], dtype=torch.int8)
        best, index = quality.max(dim=0)
        bounds = torch.tensor(self.thresholds, device=quality.device)
        label_table = torch.tensor(self.labels, dtype=torch.int8, device=quality.device)
        labels = label_table[torch.bucketize(best, bounds, right=True)]
        if self.allow_low_quality_matches:
            top = quality.max(dim=1).values
            # A ground truth without area has IoU 0 with everything; "equal to its best" would then
            # make every remote prediction positive.
            is_top = (quality == top[:, None]) & (top[:, None] > 0)
            labels[is_top.any(dim=0)] = 1
        return index, labels


def sample_labels(
    labels: Tensor, count: int, positive_share: float, background: int
) -> tuple[Tensor, Tensor]:
    """Draw a random subset of positives and negatives.

    Draws with two ``torch.randperm`` on the labels' device, positives first: the order that makes
    runs comparable with Detectron2's.

    Args:
        labels: long or int8 (N,); -1 ignored, ``background`` negative, everything else positive.
        count: how many are wanted in all; fewer when there are not enough.
        positive_share: at most this share of ``count`` is positive; negatives fill up.

    Returns:
        indices of the drawn positives and of the drawn negatives, long.
    """
    positive = torch.nonzero((labels != -1) & (labels != background)).squeeze(1)
    negative = torch.nonzero(labels == background).squeeze(1)
    num_positive = min(len(positive), int(count * positive_share))
    num_negative = min(len(negative), count - num_positive)
    drawn_positive = torch.randperm(len(positive), device=labels.device)[:num_positive]
    drawn_negative = torch.randperm(len(negative), device=labels.device)[:num_negative]
    return positive[drawn_positive], negative[drawn_negative]
