"""Which of the segments that a panoptic model finds in a frame are the objects that are followed
already, and which pixels the new ones get.

Pure functions on two panoptic frames of one size: ``predicted``, where the followed objects are
believed to be, and ``detected``, what a panoptic model sees. Stuff is matched by its class, of
which there is one track; things by the IoU of their masks, whatever their classes, since a track
keeps the class that it was born with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vps.metrics.frame_table import count_pairs
from vps.structures import InputError, PanopticFrame, Segment, stuff_segment_id


@dataclass(frozen=True)
class MatchingRules:
    """How detections become tracks.

    Attributes:
        iou: a detected thing is a followed one where the IoU of their masks is above this. From
            0.5 on no mask has two partners.
        min_area: a new track must have so many pixels that no followed thing holds.
        known: which pixels a detection gives to the track that it matches. "keep": none; "fill":
            those where nothing was predicted, such as what comes into view at the border;
            "replace": all that it has.
        misses: a track that so many detections in a row do not find is retired.
    """

    iou: float = 0.5
    min_area: int = 64
    known: Literal["keep", "fill", "replace"] = "fill"
    misses: int = 3

    def __post_init__(self) -> None:
        if not 0 <= self.iou < 1:
            raise InputError(f"expected an IoU to match by in 0 <= iou < 1, got {self.iou}")
        if self.known not in ("keep", "fill", "replace"):
            raise InputError(f"expected known in keep, fill, replace, got {self.known!r}")
        if self.misses < 1 or self.min_area < 1:
            raise InputError(
                f"expected misses and min_area of at least 1, got {self.misses} and {self.min_area}"
            )


def match_segments(
    predicted: PanopticFrame | None,
    detected: PanopticFrame,
    tracks: Mapping[int, Segment],
    *,
    iou: float = 0.5,
) -> dict[int, int]:
    """{id of a detected segment: id of the track that it is}, one to one.

    Args:
        predicted: the followed objects; None: nothing is followed yet.
        detected: what the panoptic model sees; crowds are nobody's match.
        tracks: what the followed ids are.
        iou: things match above this, the best pairs first.
    """
    matches: dict[int, int] = {}
    for detected_id, segment in detected.segments.items():
        track_id = stuff_segment_id(segment.category)
        if not segment.isthing and track_id in tracks:
            matches[detected_id] = track_id
    if predicted is None:
        return matches
    taken: set[int] = set()
    for distance, track_id, detected_id in sorted(_thing_pairs(predicted, detected, tracks)):
        if distance < 1 - iou and track_id not in taken and detected_id not in matches:
            matches[detected_id] = track_id
            taken.add(track_id)
    return matches


def _thing_pairs(
    predicted: PanopticFrame, detected: PanopticFrame, tracks: Mapping[int, Segment]
) -> list[tuple[float, int, int]]:
    """(1 - IoU, followed thing, detected thing) of all that meet; sorted, the best come first."""
    left, right, pixels = count_pairs(predicted.ids, detected.ids)
    followed = _areas(left, pixels)
    seen = _areas(right, pixels)
    pairs = []
    for track_id, detected_id, common in zip(left.tolist(), right.tolist(), pixels.tolist()):
        segment = detected.segments.get(detected_id)
        if track_id in tracks and tracks[track_id].isthing and _is_thing(segment):
            union = followed[track_id] + seen[detected_id] - common
            pairs.append((1 - common / union, track_id, detected_id))
    return pairs


def _areas(ids: np.ndarray, pixels: np.ndarray) -> dict[int, int]:
    areas: dict[int, int] = {}
    for segment_id, count in zip(ids.tolist(), pixels.tolist()):
        areas[segment_id] = areas.get(segment_id, 0) + count
    return areas


def _is_thing(segment: Segment | None) -> bool:
    return segment is not None and segment.isthing and not segment.iscrowd


def merge_detection(
    predicted: PanopticFrame | None,
    detected: PanopticFrame,
    matches: Mapping[int, int],
    new_tracks: Mapping[int, int],
    *,
    rules: MatchingRules,
) -> np.ndarray:
    """The pixels that a detection gives, as ids of tracks: int32 [H, W], 0 = nothing.

    New tracks get no pixel of a followed thing that was found again and keeps its mask: where the
    two overlap, the one that is known longer is more likely right. A new track that is left with
    fewer than ``rules.min_area`` pixels gets none at all.

    Args:
        predicted, detected: as in ``match_segments``.
        matches: {detected id: track id} of the tracks that were found again.
        new_tracks: {detected id: track id} of the others.
    """
    labels, index = np.unique(detected.ids, return_inverse=True)
    index = index.reshape(detected.ids.shape)

    def paint(tracks: Mapping[int, int]) -> np.ndarray:
        return np.array([tracks.get(label, 0) for label in labels.tolist()], np.int32)[index]

    known, new = paint(matches), paint(new_tracks)
    if predicted is not None and rules.known != "replace":
        known[(predicted.ids != 0) | (rules.known == "keep")] = 0
        new[np.isin(predicted.ids, _things(detected, matches))] = 0
    for track_id, area in zip(*(part.tolist() for part in np.unique(new, return_counts=True))):
        if track_id and area < rules.min_area:
            new[new == track_id] = 0
    return known + new  # nowhere are both set: a pixel has one detected segment


def _things(detected: PanopticFrame, matches: Mapping[int, int]) -> list[int]:
    return [track for label, track in matches.items() if _is_thing(detected.segments[label])]
