"""References from a panoptic model: its segments in the first frame, or in every k-th.

With them a video object segmentation head turns raw video into panoptic video: the panoptic model
says what there is, the head where it goes. Between detections nothing is born or ends.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vps.modeling.vos.references.matching import MatchingRules, match_segments, merge_detection
from vps.structures import (
    Frame,
    InputError,
    PanopticFrame,
    ReferenceUpdate,
    Segment,
    stuff_segment_id,
    thing_segment_id,
)

Detect = Callable[[Frame], PanopticFrame]


class PanopticReferences:
    """A ``ReferencePolicy`` over a panoptic model of single pictures; holds one video's tracks.

    Tracks of things are numbered in the order of their birth and no number is used again; a class
    of stuff is one track, which may come back after it was retired.
    """

    def __init__(
        self,
        detect: Detect,
        *,
        num_categories: int,
        every: int | None = None,
        rules: MatchingRules | None = None,
    ) -> None:
        """
        Args:
            detect: the panoptic segmentation of one frame, with ids of its own.
            num_categories: of the data set; ids of things come after those of stuff.
            every: detect in the frames 0, k, 2k, ...; None: in the first frame alone, or, where
                nothing is found in it, in the following ones until something is.
            rules: how detections become tracks.
        """
        if every is not None and every < 1:
            raise InputError(f"expected to detect in every 1st, 2nd, ... frame, got every {every}")
        self._detect = detect
        self._num_categories = num_categories
        self._every = every
        self._rules = rules or MatchingRules()
        self._frames = 0
        self._born_things = 0
        self._tracks: dict[int, Segment] = {}
        self._missed: dict[int, int] = {}

    def update(self, frame: Frame, predicted: PanopticFrame | None) -> ReferenceUpdate:
        """What the panoptic model changes at the next frame; see ``ReferencePolicy``."""
        due = self._frames % self._every == 0 if self._every else not self._tracks
        self._frames += 1
        if not due:
            return ReferenceUpdate()
        detected = self._detect(frame)
        if predicted is not None and detected.ids.shape != predicted.ids.shape:
            raise InputError(
                f"expected references of frame {frame.frame_id} at its size "
                f"{list(predicted.ids.shape)}, got {list(detected.ids.shape)}"
            )
        matches = match_segments(predicted, detected, self._tracks, iou=self._rules.iou)
        new = self._number(detected, matches)
        ids = merge_detection(predicted, detected, matches, new, rules=self._rules)
        painted = set(np.unique(ids).tolist()) - {0}
        born = {track: detected.segments[label] for label, track in new.items() if track in painted}
        self._tracks |= {
            track: Segment(segment.category, segment.isthing, segment.score)
            for track, segment in born.items()
        }
        retired = self._retire(found=set(matches.values()) | born.keys())
        if not painted:
            return ReferenceUpdate(None, retired)
        segments = {track: self._tracks[track] for track in sorted(painted)}
        return ReferenceUpdate(PanopticFrame(frame.frame_id, ids, segments), retired)

    def _number(self, detected: PanopticFrame, matches: dict[int, int]) -> dict[int, int]:
        """Ids for the segments that match no track. Some may turn out too small and are not used;
        what counts is that none is used twice.
        """
        new: dict[int, int] = {}
        for label, segment in sorted(detected.segments.items()):
            if label in matches or segment.iscrowd:
                continue
            if segment.isthing:
                new[label] = thing_segment_id(self._born_things, self._num_categories)
                self._born_things += 1
            else:
                new[label] = stuff_segment_id(segment.category)
        return new

    def _retire(self, *, found: set[int]) -> frozenset[int]:
        """Forget the tracks that were missed too often."""
        self._missed = {
            track: 0 if track in found else self._missed.get(track, 0) + 1 for track in self._tracks
        }
        retired = {t for t, missed in self._missed.items() if missed >= self._rules.misses}
        for track in retired:
            del self._tracks[track], self._missed[track]
        return frozenset(retired)
