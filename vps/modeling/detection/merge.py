"""The heuristic merge of Panoptic FPN: instances by score, then stuff where nothing is yet."""

from __future__ import annotations

import torch
from torch import Tensor

from vps.structures import Segment


def merge_panoptic(
    masks: Tensor,
    scores: Tensor,
    classes: Tensor,
    semantic: Tensor,
    *,
    overlap_thresh: float = 0.5,
    stuff_area_min: int = 4096,
    score_thresh: float = 0.5,
) -> tuple[Tensor, dict[int, Segment]]:
    """Merge (Kirillov et al. 2019, Panoptic Segmentation, section 6).

    Args:
        masks, scores, classes: of instances: bool (D, H, W), float (D,), long (D,).
        semantic: long (H, W), classes of the semantic head; 0 means "some thing".
        overlap_thresh: an instance goes if more than this share of it is taken by better ones.
        stuff_area_min: smaller areas of a stuff class stay void; pixels.
        score_thresh: instances below are not used.

    Returns:
        ids int32 (H, W), 0 void, counted from 1; id -> Segment. The category is the thing class of
        an instance, the semantic class of stuff: two separate number spaces, as in the data sets
        that Detectron2 calls "separated".
    """
    ids = torch.zeros(semantic.shape, dtype=torch.int32, device=semantic.device)
    segments: dict[int, Segment] = {}
    for index in torch.argsort(-scores).tolist():
        score = float(scores[index])
        if score < score_thresh:
            break
        mask = masks[index]
        area = int(mask.sum())
        free = mask & (ids == 0)
        covered = area - int(free.sum())
        if area == 0 or covered / area > overlap_thresh:
            continue
        new_id = len(segments) + 1
        ids[free] = new_id
        segments[new_id] = Segment(int(classes[index]), True, score)
    for label in torch.unique(semantic).tolist():
        if label == 0:
            continue
        free = (semantic == label) & (ids == 0)
        if int(free.sum()) < stuff_area_min:
            continue
        new_id = len(segments) + 1
        ids[free] = new_id
        segments[new_id] = Segment(int(label), False)
    return ids, segments
