"""From semantic scores and instances to one label per pixel.

Source: UPSNet, section 3.4, and VPSNet's released inference: drop instances that better ones of
their class cover, let stuff and instances compete per pixel, let the semantic head overrule
instances, void small stuff. Everything happens at the output's resolution with two maps of it,
whatever the number of classes and instances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import nms

from vps.modeling.vpsnet.panoptic_head import OUTSIDE, box_window, paste_logits
from vps.structures import stuff_segment_id


@dataclass(frozen=True)
class PanopticRules:
    """Thresholds of inference; the meaning of each stands in vps/config.py."""

    score_thresh: float = 0.6
    nms_thresh: float = 0.5
    max_instances: int = 100
    mask_overlap_thresh: float = 0.3
    stuff_vote_thresh: float = 0.5
    stuff_area_min: int = 2048
    thing_area_min: int = 0


def select_boxes(
    probabilities: Tensor, boxes: Tensor, rules: PanopticRules
) -> tuple[Tensor, Tensor, Tensor]:
    """Confident boxes of one picture, by score; suppression runs across the classes.

    Args:
        probabilities: (R, K + 1), background last.
        boxes: (R, K, 4) or (R, 1, 4) decoded boxes.

    Returns:
        boxes (n, 4), thing classes int64 (n,), scores (n,), scores falling.
    """
    scores = probabilities[:, :-1]  # (R, K)
    proposals, classes = (scores > rules.score_thresh).nonzero(as_tuple=True)
    scores = scores[proposals, classes]
    boxes = boxes[proposals, classes if boxes.shape[1] > 1 else 0]
    keep = nms(boxes, scores, rules.nms_thresh)[: rules.max_instances]
    return boxes[keep], classes[keep], scores[keep]


def prune_covered(
    mask_logits: Tensor,
    boxes: Tensor,
    categories: Tensor,
    size: tuple[int, int],
    overlap_thresh: float,
) -> list[int]:
    """Indices of the instances that stay: not empty, and not covered by better ones of their class.

    Args:
        mask_logits: (n, m, m), best score first.
        boxes: (n, 4) in output pixels.
        categories: int64 (n,).
        size: (H, W) of the output.
        overlap_thresh: an instance goes if more than this share of its mask is taken.
    """
    taken: dict[int, Tensor] = {}
    kept = []
    for index, category in enumerate(categories.tolist()):
        x0, y0, x1, y1 = box_window(boxes[index].tolist(), size)
        mask = _paste(mask_logits[index], boxes[index], (x0, y0, x1, y1)) > 0
        area = int(mask.sum())
        if area == 0:
            continue
        if category not in taken:
            taken[category] = torch.zeros(size, dtype=torch.bool, device=boxes.device)
        window = taken[category][y0:y1, x0:x1]
        if int((mask & window).sum()) > overlap_thresh * area:
            continue
        window |= mask
        kept.append(index)
    return kept


@dataclass
class SemanticMaps:
    """What inference needs of the semantic scores at the output's resolution (H, W).

    Attributes:
        stuff: the contiguous stuff categories.
        winner: int64, category of the highest score.
        stuff_winner: int64, stuff category of the highest score among stuff.
        stuff_best: float, that score.
        things: {category: float (H, W)} for the categories of instances in the picture.
    """

    stuff: tuple[int, ...]
    winner: Tensor
    stuff_winner: Tensor
    stuff_best: Tensor
    things: dict[int, Tensor]


def semantic_maps(
    score: Tensor,
    stuff: Sequence[int],
    wanted_things: Sequence[int],
    image_size: tuple[int, int],
    output_size: tuple[int, int],
    *,
    stride: int = 4,
    chunk: int = 8,
) -> SemanticMaps:
    """Upsample semantic scores a few classes at a time.

    Args:
        score: (C, h, w) at ``stride``, of the padded picture.
        stuff: contiguous stuff categories.
        wanted_things: thing categories whose upsampled score is kept.
        image_size: (H, W) of the picture without padding, in network pixels.
        output_size: (H, W) of the result.
        chunk: classes that are upsampled at a time; bounds the memory.
    """
    # float32 as what is compared with them, also where the network computes in half precision.
    best = torch.full(output_size, -torch.inf, device=score.device)
    winner = torch.zeros(output_size, dtype=torch.int64, device=score.device)
    stuff_best = torch.full_like(best, OUTSIDE)
    stuff_winner = torch.full_like(winner, -1)
    things = {}
    is_stuff = set(stuff)
    for start in range(0, len(score), chunk):
        part = _upsample(score[start : start + chunk], image_size, output_size, stride)
        for category, scores in enumerate(part, start):
            better = scores > best
            best = torch.where(better, scores, best)
            winner[better] = category
            if category in is_stuff:
                better = scores > stuff_best
                stuff_best = torch.where(better, scores, stuff_best)
                stuff_winner[better] = category
            elif category in wanted_things:
                things[category] = scores.clone()
    return SemanticMaps(tuple(stuff), winner, stuff_winner, stuff_best, things)


def compete(maps: SemanticMaps, mask_logits: Tensor, boxes: Tensor, categories: Tensor) -> Tensor:
    """Index of the winning instance of each pixel, -1 where stuff wins: int64 (H, W).

    The argmax over [stuff | instances]; instance logits count inside of their boxes only.
    """
    size = (maps.winner.shape[0], maps.winner.shape[1])
    best = maps.stuff_best.clone()
    owner = torch.full_like(maps.winner, -1)
    for index, category in enumerate(categories.tolist()):
        x0, y0, x1, y1 = box_window(boxes[index].tolist(), size)
        logits = _paste(mask_logits[index], boxes[index], (x0, y0, x1, y1))
        logits = logits + maps.things[category][y0:y1, x0:x1]
        window = best[y0:y1, x0:x1]
        better = logits > window
        owner[y0:y1, x0:x1][better] = index
        window[better] = logits[better]
    return owner


def resolve(
    owner: Tensor, maps: SemanticMaps, instance_ids: Sequence[int], rules: PanopticRules
) -> Tensor:
    """Segment ids of all pixels, after the semantic head overruled instances and small ones went.

    An instance's region turns into the stuff class that the semantic head gives to most of it, if
    that is at least ``stuff_vote_thresh`` of it. Then stuff below ``stuff_area_min`` and instances
    below ``thing_area_min`` become void.

    Args:
        owner: int64 (H, W), index of the instance that owns a pixel or -1.
        maps: of the same picture.
        instance_ids: segment id of each instance.

    Returns:
        int64 (H, W); stuff has the ids of ``stuff_segment_id``.
    """
    ids = maps.stuff_winner + 1  # stuff_segment_id, and void where there is no stuff class
    if len(instance_ids):
        is_stuff = set(maps.stuff)
        num_categories = 1 + int(maps.winner.max())
        votes = torch.bincount(
            (owner * num_categories + maps.winner)[owner >= 0],
            minlength=len(instance_ids) * num_categories,
        ).view(len(instance_ids), num_categories)
        areas, (most, majority) = votes.sum(dim=1).tolist(), (x.tolist() for x in votes.max(dim=1))
        final_ids = list(instance_ids)
        for index, category in enumerate(majority):
            if category in is_stuff and most[index] >= rules.stuff_vote_thresh * areas[index]:
                final_ids[index] = stuff_segment_id(category)
            elif areas[index] < rules.thing_area_min:
                final_ids[index] = 0
        ids = torch.where(owner >= 0, ids.new_tensor(final_ids)[owner.clamp(min=0)], ids)
    for category in maps.stuff:
        region = ids == stuff_segment_id(category)
        if int(region.sum()) < rules.stuff_area_min:
            ids[region] = 0
    return ids


def _paste(mask_logits: Tensor, box: Tensor, window: tuple[int, int, int, int]) -> Tensor:
    x0, y0, x1, y1 = window
    return paste_logits(mask_logits[None], box[None], (y1 - y0, x1 - x0), origin=(y0, x0))[0]


def _upsample(
    score: Tensor, image_size: tuple[int, int], output_size: tuple[int, int], stride: int
) -> Tensor:
    """Bilinear to the network's resolution, without padding, then to the output's where it
    differs.
    """
    padded = (score.shape[-2] * stride, score.shape[-1] * stride)
    full = F.interpolate(score[None].float(), size=padded, mode="bilinear", align_corners=False)
    full = full[..., : image_size[0], : image_size[1]]
    if image_size != output_size:
        full = F.interpolate(full, size=output_size, mode="bilinear", align_corners=False)
    return full[0]
