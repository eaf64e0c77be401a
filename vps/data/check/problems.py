"""What can be wrong with a data set: the kinds of problems, how bad each is and what helps.

An *error* stops a training or falsifies a score, a *warning* may be meant but usually is not, a
*note* is for information.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Severity(IntEnum):
    """How bad a problem is."""

    NOTE = 0
    WARNING = 1
    ERROR = 2


class Kind(NamedTuple):
    """A kind of problem: how bad it is, what it is, and what to try (may be empty)."""

    severity: Severity
    title: str
    advice: str = ""


class Problem(NamedTuple):
    """One thing that is wrong.

    Attributes:
        kind: a key of ``KINDS``.
        file: the file or folder where it is wrong.
        message: a sentence: expected, got, where.
        video_id, frame_id: where in the data set, as far as that is known.
    """

    kind: str
    file: str
    message: str
    video_id: str | None = None
    frame_id: str | None = None

    @property
    def severity(self) -> Severity:
        return KINDS[self.kind].severity


_NOTE, _WARNING, _ERROR = Severity.NOTE, Severity.WARNING, Severity.ERROR
_COMPLETE = "is the download complete and unpacked, and does DETECTRON2_DATASETS name its parent?"
_PREPARED = "was datasets/prepare_*.py run, and does DETECTRON2_DATASETS name the parent folder?"
_PREPARE = "run datasets/prepare_*.py again: PNGs and JSON must be of the same run"

KINDS: dict[str, Kind] = {
    # the index and what it lists
    "index-unreadable": Kind(_ERROR, "an index file is missing, cut short or no JSON", _PREPARED),
    "index-field": Kind(_ERROR, "a field of an index is missing or wrong"),
    "categories-differ": Kind(_ERROR, "categories are others than those that are registered"),
    "video-empty": Kind(_ERROR, "a video has no frames"),
    "video-twice": Kind(_ERROR, "a video is listed twice"),
    "video-unknown": Kind(_ERROR, "labels are of a video that is not listed"),
    "video-missing": Kind(_ERROR, "the folder of a listed video does not exist", _COMPLETE),
    "frame-twice": Kind(_ERROR, "a frame, or its picture, is listed twice in a video"),
    "frame-unknown": Kind(_ERROR, "labels are of a frame that the video does not list"),
    "frame-order": Kind(_WARNING, "frames are not in the order of their names"),
    "loader-refuses": Kind(_ERROR, "the loader of the data set refuses it"),
    "video-unlabelled": Kind(_NOTE, "a video has no labels", "normal for test sets"),
    # files
    "picture-missing": Kind(_ERROR, "a listed picture does not exist", _COMPLETE),
    "picture-unreadable": Kind(_ERROR, "a picture is truncated, damaged or no picture", _COMPLETE),
    "picture-size": Kind(_ERROR, "a picture is of another size than the index or the video says"),
    "picture-unlisted": Kind(_WARNING, "a picture on disk is in no list"),
    "size-changes": Kind(_ERROR, "the index states several sizes for one video"),
    "label-missing": Kind(_ERROR, "a listed label PNG does not exist", _COMPLETE),
    "label-unreadable": Kind(_ERROR, "a label PNG is truncated, damaged or no PNG", _COMPLETE),
    "label-format": Kind(_ERROR, "a label PNG is of another coding", _PREPARE),
    "label-size": Kind(_ERROR, "a label PNG is of another size than its picture"),
    "label-empty": Kind(_WARNING, "a frame is listed as labelled, but all of it is void"),
    "label-unlisted": Kind(_WARNING, "a label PNG on disk is in no list"),
    "video-unlisted": Kind(_NOTE, "a folder on disk is in no list", "normal for other splits"),
    # segments
    "segment-twice": Kind(_ERROR, "a segment id is listed twice in a frame", _PREPARE),
    "segment-void": Kind(_ERROR, "a segment has an id that is void or beyond 24 bits", _PREPARE),
    "segment-unlisted": Kind(_ERROR, "an id is painted but not listed", _PREPARE),
    "segment-unpainted": Kind(_ERROR, "an id is listed but not painted", _PREPARE),
    "area-wrong": Kind(_ERROR, "a stated area is not the number of pixels", _PREPARE),
    "category-unknown": Kind(_ERROR, "a segment is of a category that is not registered"),
    "category-changes": Kind(_ERROR, "a segment changes its category within a video"),
    "stuff-in-parts": Kind(_WARNING, "a class of stuff has several segments in a frame"),
    "stray-255": Kind(
        _ERROR, "255 is painted", "void is 0 here: is it the void of another data set?"
    ),
    # VIPSeg's raw masks
    "number-unknown": Kind(_ERROR, "a number in a raw mask stands for no class"),
    "stuff-with-instance": Kind(_WARNING, "a class of stuff is encoded with an instance"),
    "thing-without-instance": Kind(_ERROR, "a thing is encoded without its instance"),
    "too-many-instances": Kind(_ERROR, "a class has 100 instances or more, which reads as another"),
    # objects that are given by masks
    "object-unlisted": Kind(_ERROR, "an object is painted that the video does not list"),
    "object-ignored": Kind(
        _NOTE, "an object is painted that the first mask does not have: it is background"
    ),
    "object-class-missing": Kind(_ERROR, "an object has no class in obj_class.json"),
    "object-never-seen": Kind(_WARNING, "a listed object is nowhere painted"),
    "object-never-given": Kind(_ERROR, "an object is painted, but its mask is never given"),
    "object-given-late": Kind(_WARNING, "an object is painted before its mask is given"),
    "object-given-twice": Kind(_WARNING, "the mask of an object is given in several frames"),
    "reference-empty": Kind(_WARNING, "a reference mask gives no object"),
    "reference-missing": Kind(_ERROR, "no mask is given in a video"),
    "meta-frame-missing": Kind(_ERROR, "meta.json names a frame that does not exist", _COMPLETE),
}
