"""PanopticFrame: what every model gives back and every evaluator, writer and overlay takes, one per
frame.

Every pixel carries a *segment id* (0 = void). A table beside the pixels says what each id is. Ids
are stable through a video: a thing keeps its id from its first frame to its last, and an id never
changes its class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from vps.structures.errors import InputError


class Category(NamedTuple):
    """One class of a data set. Its position in the data set's list is its contiguous id (0 is a
    valid one).
    """

    name: str
    isthing: bool
    color: tuple[int, int, int]
    dataset_id: int


class Segment(NamedTuple):
    """What one segment id means.

    ``category`` is contiguous. ``area`` is the pixel count that an annotation file states; None
    where nobody stated one. ``iscrowd`` marks a region of things whose instances are unknown.
    """

    category: int
    isthing: bool
    score: float = 1.0
    iscrowd: bool = False
    area: int | None = None


@dataclass
class PanopticFrame:
    """The panoptic labels of one frame.

    Attributes:
        frame_id: name of the frame, unique within its video.
        ids: int32 [H, W] at the frame's own resolution; 0 = void.
        segments: {segment id: Segment} for the ids of this frame.
    """

    frame_id: str
    ids: np.ndarray
    segments: Mapping[int, Segment]

    def __post_init__(self) -> None:
        if self.ids.ndim != 2 or self.ids.dtype != np.int32:
            raise ValueError(
                f"expected PanopticFrame.ids as int32 [H, W], got {self.ids.dtype} "
                f"{list(self.ids.shape)} for frame {self.frame_id}"
            )
        if 0 in self.segments:
            raise ValueError(
                f"segment id 0 is void and cannot be a segment (frame {self.frame_id})"
            )


def category_of(segment: Segment, categories: Sequence[Category]) -> Category:
    """The class of a segment in a data set's list.

    Raises:
        InputError: the list is another data set's: it has no such class.
    """
    if not 0 <= segment.category < len(categories):
        raise InputError(
            f"expected a segment of one of {len(categories)} classes "
            f"({', '.join(c.name for c in categories[:3])}, ...), got class {segment.category}; "
            "are the classes those of another data set?"
        )
    return categories[segment.category]


def stuff_segment_id(category: int) -> int:
    """Segment id that the models give to the stuff class ``category`` (contiguous): one per
    class, never 0.
    """
    return category + 1


def thing_segment_id(track: int, num_categories: int) -> int:
    """Segment id that the models give to track ``track`` = 0, 1, ...: behind all ids of stuff."""
    return num_categories + 1 + track
