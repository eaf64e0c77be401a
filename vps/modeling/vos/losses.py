"""The losses of one predicted frame: bootstrapped cross-entropy and soft Jaccard, half each.

Source: AOT, section 4 (training details), as the released code has it. Both are taken per sample,
on logits at the size of the labels; pixels labelled 255 are ignored. A class is a channel of the
network: the background or one object. Channels that stand for nothing in a sample must carry a
logit so low (``UNUSED``) that their softmax is 0.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

IGNORE = 255  # label of pixels that no loss reads
UNUSED = -1e10  # logit of channels without an object; float32 (half precision overflows)


def bootstrapped_cross_entropy(logits: Tensor, labels: Tensor, *, share: float) -> Tensor:
    """The mean of the highest pixel losses.

    Args:
        logits: float (B, C, H, W).
        labels: int64 (B, H, W), channels 0..C-1 or 255.
        share: how much of all H * W pixels to keep, in (0, 1]. Ignored pixels count among them
            with loss 0, so much void makes the loss small, as in the released code.

    Returns:
        float (B,).
    """
    losses = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="none").flatten(1)
    if share >= 1:
        return losses.mean(1)
    count = max(int(share * losses.shape[1]), 1)
    return losses.topk(count, dim=1, sorted=False).values.mean(1)


def soft_jaccard(logits: Tensor, labels: Tensor) -> Tensor:
    """1 - intersection / union of probabilities and labels, mean over the channels in the label.

    Args:
        logits: float (B, C, H, W).
        labels: int64 (B, H, W), channels 0..C-1 or 255.

    Returns:
        float (B,); 0 for a sample whose pixels are all ignored.
    """
    valid = (labels != IGNORE).unsqueeze(1)  # (B, 1, H, W)
    truth = one_hot(labels, logits.shape[1], dtype=logits.dtype).flatten(2)  # (B, C, H * W)
    probabilities = (logits.softmax(1) * valid).flatten(2)
    intersection = (probabilities * truth).sum(2)  # (B, C)
    size = truth.sum(2)
    union = probabilities.sum(2) + size - intersection
    present = (size > 0).to(logits.dtype)
    distance = (1 - intersection / (union + 1e-6)) * present
    return distance.sum(1) / present.sum(1).clamp(min=1)


def one_hot(labels: Tensor, channels: int, *, dtype: torch.dtype = torch.float32) -> Tensor:
    """One channel per label 0..channels-1; any other label is 0 in all of them.

    Args:
        labels: integers (B, H, W).

    Returns:
        (B, channels, H, W).
    """
    numbers = torch.arange(channels, device=labels.device).view(1, -1, 1, 1)
    return (labels.unsqueeze(1) == numbers).to(dtype)


def hide_unused(logits: Tensor, used: Tensor) -> Tensor:
    """Logits, as float32, in which channels without an object have probability 0.

    Args:
        logits: (B, C, H, W) in the order of the labels, that is, after un-permuting.
        used: bool (B, C).
    """
    return logits.float().masked_fill(~used[:, :, None, None], UNUSED)
