"""The head that has learned nothing: every given mask is copied forward, where it was.

Video frames resemble their neighbours, so this scores far above zero. What a model has learned is
what it scores above this.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from vps.structures import (
    Frame,
    PanopticFrame,
    ReferencePolicy,
    References,
    Segment,
    as_policy,
)


class CopyHead:
    """A video object segmentation head under the contract of a meta-architecture."""

    def segment_video(
        self, frames: Iterable[Frame], *, references: References | ReferencePolicy
    ) -> Iterator[PanopticFrame]:
        """The masks given so far, later ones over earlier ones, at every frame."""
        policy = as_policy(references)
        ids: np.ndarray | None = None
        segments: dict[int, Segment] = {}
        for frame in frames:
            known = None
            if segments:
                known = _frame(frame.frame_id, ids, segments)
            update = policy.update(frame, known)
            ids = np.zeros(frame.image.shape[:2], np.int32) if ids is None else ids.copy()
            for retired in update.retired:
                ids[ids == retired] = 0
                segments.pop(retired, None)
            if update.given is not None:
                ids = np.where(update.given.ids > 0, update.given.ids, ids)
                segments |= update.given.segments
            yield _frame(frame.frame_id, ids, segments)


def _frame(frame_id: str, ids: np.ndarray, segments: dict[int, Segment]) -> PanopticFrame:
    present = set(np.unique(ids).tolist())
    return PanopticFrame(frame_id, ids, {i: s for i, s in segments.items() if i in present})
