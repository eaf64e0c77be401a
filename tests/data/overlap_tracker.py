"""The tracker that Shapes-VPS must defeat: it follows masks by overlap alone."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

import numpy as np

from vps.structures import PanopticFrame


def count_identity_switches(
    frames: Iterable[PanopticFrame], least_iou: float = 0.1
) -> tuple[int, int]:
    """Track ground-truth masks greedily by IoU, within their class, with their last mask for ever.

    Returns:
        how often a thing got another track than when it was seen before, and how often it could.
    """
    last_mask: dict[int, tuple[int, np.ndarray]] = {}  # by track: class, mask
    track_of: dict[int, int] = {}  # by true id
    new_track = count()
    switches = chances = 0
    for frame in frames:
        things = {key: s.category for key, s in frame.segments.items() if s.isthing}
        masks = {key: frame.ids == key for key in things}
        overlaps = sorted(
            (
                (_iou(masks[key], mask), key, track)
                for key, category in things.items()
                for track, (track_category, mask) in last_mask.items()
                if category == track_category
            ),
            reverse=True,
        )
        assigned: dict[int, int] = {}
        for iou, key, track in overlaps:
            if iou >= least_iou and key not in assigned and track not in assigned.values():
                assigned[key] = track
        for key, category in things.items():
            track = assigned[key] if key in assigned else next(new_track)
            last_mask[track] = (category, masks[key])
            if key in track_of:
                chances += 1
                switches += track_of[key] != track
            track_of[key] = track
    return switches, chances


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else 0.0
