"""Sums that all heads share; each is connected to the graph even when nothing contributes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


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


def mean_cross_entropy(logits: Tensor, classes: Tensor) -> Tensor:
    """Softmax cross-entropy of (N, K) against long (N,), mean over N; 0 for no rows, not NaN."""
    if logits.numel() == 0:
        return logits.sum() * 0.0
    return F.cross_entropy(logits, classes)


def mean_binary_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Sigmoid cross-entropy of any shape, mean over all; 0 for none, not NaN."""
    if logits.numel() == 0:
        return logits.sum() * 0.0
    return F.binary_cross_entropy_with_logits(logits, targets.to(torch.float32))
