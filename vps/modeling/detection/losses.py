"""Sums that all heads share; each is connected to the graph even when nothing contributes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORE = -1  # label of what has no class; not 255, which may be a class of its own


def smooth_l1_sum(prediction: Tensor, target: Tensor, beta: float) -> Tensor:
    """Huber-like loss, summed: quadratic below ``beta``, linear above; beta 0 is the L1 loss.

    Args:
        prediction, target: of one shape; may be empty, which gives 0 with a gradient of 0.
    """
    if prediction.numel() == 0:
        return prediction.sum() * 0.0
    dtype = torch.promote_types(prediction.dtype, target.dtype)  # half would round the target
    prediction, target = prediction.to(dtype), target.to(dtype)
    if beta < 1e-5:  # the quadratic part would divide by 0
        return F.l1_loss(prediction, target, reduction="sum")
    return F.smooth_l1_loss(prediction, target, reduction="sum", beta=beta)


def mean_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Softmax cross-entropy of (N, K, ...) against long (N, ...), mean over the labels that are not
    ``IGNORE``; 0 if none is, not NaN.
    """
    total = F.cross_entropy(logits.float(), labels, ignore_index=IGNORE, reduction="sum")
    return total / (labels != IGNORE).sum().clamp(min=1)


def mean_binary_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Sigmoid cross-entropy of any shape, mean over all; 0 for none, not NaN."""
    if logits.numel() == 0:
        return logits.sum() * 0.0
    return F.binary_cross_entropy_with_logits(logits, targets.to(torch.float32))
