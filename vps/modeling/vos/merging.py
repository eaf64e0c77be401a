"""From the logits of groups to one label per pixel (AOT, section 3.2; AOST, section 4.1).

Each group splits every pixel between background and its own objects. Together: an object has the
probability that its group gives it; background is where all groups see background, so the product;
all are clamped and compared as odds. One group of a network without panoptic banks needs none of
this: its logits decide.

Two orders exist. AOT enlarges each group's logits and merges at full size; the later program merges
at stride 4 and enlarges the merged logits, which is cheaper and not the same to the last bit.
Neither holds the probabilities of all objects at full size here: a running maximum is kept.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vps.modeling.vos.slots import Layout

LEAST = 1e-5  # probabilities are clamped to LEAST .. 1 - LEAST
CHUNK = 2**24  # numbers at full size held at a time: 64 MB


def mask_unused(logits: Tensor, used: Tensor) -> Tensor:
    """Make identities that no object holds impossible.

    Args:
        logits: (G, channels, h, w).
        used: bool (G, channels).

    Returns:
        float32: in half precision 1 - ``LEAST`` would be 1, whose odds are infinite.
    """
    return logits.float().masked_fill(~used[:, :, None, None], -1e10)


def merge_groups(logits: Tensor, layout: Layout, *, always: bool = False) -> Tensor:
    """Logits of background and all objects.

    Args:
        logits: (G, channels, h, w), unused identities not yet masked.
        layout: of the G groups; gives n objects.
        always: compare odds even if there is one group (the official habit with panoptic banks).

    Returns:
        (1 + n, h, w), by position.
    """
    logits = mask_unused(logits, layout.used)
    if len(logits) == 1 and not always:
        return logits[0, [0, *layout.channels]]
    probabilities = logits.softmax(1)
    background = probabilities[:, 0].prod(0, keepdim=True)
    objects = probabilities[layout.rows, layout.channels]
    return torch.cat((background, objects)).clamp(LEAST, 1 - LEAST).logit()


def label_merged(merged: Tensor, size: tuple[int, int], *, align_corners: bool) -> Tensor:
    """Enlarge merged logits (1 + n, h, w) and take the best position of each pixel, (H, W)."""
    chunk = max(1, CHUNK // (size[0] * size[1]))
    best, labels = None, None
    for first in range(0, len(merged), chunk):
        part = merged[None, first : first + chunk]
        large = F.interpolate(part, size, mode="bilinear", align_corners=align_corners)[0]
        score, position = large.max(0)
        if best is None:
            best, labels = score, position
        else:
            better = score > best
            labels = torch.where(better, position + first, labels)
            best = torch.where(better, score, best)
    return labels


def merged_probabilities(
    logits: Tensor,
    layout: Layout,
    size: tuple[int, int],
    *,
    align_corners: bool,
    full: bool,
    always: bool,
) -> Tensor:
    """Probabilities (1 + n, H, W) of background and all objects, at full size.

    For averaging over several views of a frame; this does hold them all.

    Args:
        full: merge at full size, else at stride 4.
        others: as for ``label_groups``.
    """

    def enlarge(maps: Tensor) -> Tensor:
        return F.interpolate(maps, size, mode="bilinear", align_corners=align_corners)

    if full:
        return merge_groups(enlarge(logits), layout, always=always).softmax(0)
    return enlarge(merge_groups(logits, layout, always=always)[None])[0].softmax(0)


def label_groups(
    logits: Tensor, layout: Layout, size: tuple[int, int], *, align_corners: bool, always: bool
) -> Tensor:
    """Enlarge each group's logits, then merge: the best position of each pixel, (H, W).

    The same as the best of ``merge_groups`` of the enlarged logits, one group in memory at a time.
    """
    best = torch.full(size, -1.0, device=logits.device)
    labels = torch.zeros(size, dtype=torch.int64, device=logits.device)
    background = torch.ones(size, device=logits.device)
    odds = always or len(logits) > 1
    for row in range(len(logits)):
        large = F.interpolate(
            logits[row : row + 1], size, mode="bilinear", align_corners=align_corners
        )
        large = mask_unused(large, layout.used[row : row + 1])[0]
        positions = [p for p, place in enumerate(layout.rows, 1) if place == row]
        channels = [layout.channels[p - 1] for p in positions]
        if not odds:
            return large[[0, *channels]].argmax(0)
        probabilities = large.softmax(0)
        background *= probabilities[0]
        score, choice = probabilities[channels].clamp_(LEAST, 1 - LEAST).max(0)
        better = score > best
        labels = torch.where(better, torch.tensor(positions, device=logits.device)[choice], labels)
        best = torch.where(better, score, best)
    # Clamped alike, a tie goes to background, the first position.
    return torch.where(background.clamp_(LEAST, 1 - LEAST) >= best, 0, labels)
