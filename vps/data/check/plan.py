"""What is to be checked of one video: paths and tables, taken from an index, without pixels.

A plan is made where the index is read, travels to the process that opens the pictures, and is
forgotten there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from vps.structures import Category, LabelCoding

# "vipseg_raw": one channel of 16 bits, see vps.data.check.vipseg_raw.
CheckedCoding = LabelCoding | Literal["vipseg_raw"]


class SegmentRow(NamedTuple):
    """A segment as an index lists it; ``category_id`` is the data set's own number."""

    id: int
    category_id: int
    area: int | None = None


@dataclass(frozen=True, slots=True)
class FramePlan:
    """One frame.

    Attributes:
        frame_id: its name.
        picture: its path; None where the index was found to name no file that exists.
        size: (height, width) that the index states; None: it states none.
        label: path of its label PNG; None: unlabelled, or no file that exists.
        segments: what the label shows; None: unlabelled, or the table could not be read.
        reference: path of the PNG of the objects that are given here.
    """

    frame_id: str
    picture: str | None
    size: tuple[int, int] | None = None
    label: str | None = None
    segments: tuple[SegmentRow, ...] | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class VideoPlan:
    """One video.

    Attributes:
        video_id: its name.
        frames: in the order of the index.
        index: the file that lists it, for messages.
        categories: {the data set's id: category}.
        coding: of the label PNGs.
        objects: with a one-channel coding, the ids that may occur; None: nobody knows.
        unlisted_is_background: whether other ids are background and no fault.
        given: whether objects are given by references, so that each needs one.
        void_label: whether 255 is void in label PNGs of one channel.
        labelled: whether labels are expected at all.
    """

    video_id: str
    frames: tuple[FramePlan, ...]
    index: str
    categories: Mapping[int, Category]
    coding: CheckedCoding = "rgb"
    objects: frozenset[int] | None = None
    unlisted_is_background: bool = False
    given: bool = False
    void_label: bool = False
    labelled: bool = True
