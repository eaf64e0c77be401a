"""Checking objects that are given by masks: which are painted, which are given, and when.

The protocols of video object segmentation give an object once, in the frame where it first
appears, and score it from the next frame on.
"""

from __future__ import annotations

from collections.abc import Iterator

from vps.data.check.pictures import Painted
from vps.data.check.plan import FramePlan, VideoPlan
from vps.data.check.problems import Problem
from vps.io.index_png import VOID_LABEL


class ObjectTracker:
    """Follows the objects of one video from frame to frame."""

    def __init__(self, plan: VideoPlan) -> None:
        self._plan = plan
        self._is_index = plan.coding != "rgb"
        self._seen: dict[int, tuple[str, str]] = {}  # object: frame and file of its first label
        self._given: dict[int, str] = {}  # object: frame of its first reference
        self._unlisted: set[int] = set()
        self._ignored: set[int] = set()  # of these, what is background
        self._warned_of_255 = False

    def see_label(self, frame: FramePlan, painted: Painted) -> Iterator[Problem]:
        """Take in the label of a frame."""
        yield from self._check_values(frame, painted, frame.label)
        for number in self._objects(painted):
            if number not in self._ignored:
                self._seen.setdefault(number, (frame.frame_id, frame.label))

    def see_reference(self, frame: FramePlan, painted: Painted) -> Iterator[Problem]:
        """Take in the reference mask of a frame; call it after ``see_label``."""
        if frame.reference != frame.label:
            yield from self._check_values(frame, painted, frame.reference)
        objects = self._objects(painted)
        if not objects:
            message = f"expected objects that are given in {frame.reference}, got none"
            yield self._problem("reference-empty", frame.reference, message, frame.frame_id)
        for number in objects:
            if number in self._given:
                message = (
                    f"expected object {number} to be given once in video {self._plan.video_id}, "
                    f"got it in frame {self._given[number]} and again in {frame.reference}"
                )
                yield self._problem("object-given-twice", frame.reference, message, frame.frame_id)
            else:
                self._given[number] = frame.frame_id
                if number in self._seen and self._seen[number][0] != frame.frame_id:
                    message = (
                        f"expected object {number} of video {self._plan.video_id} to be given in "
                        f"frame {self._seen[number][0]}, where it first appears, got its mask in "
                        f"{frame.reference}"
                    )
                    yield self._problem(
                        "object-given-late", frame.reference, message, frame.frame_id
                    )

    def finish(self) -> Iterator[Problem]:
        """What shows only at the end of the video."""
        plan = self._plan
        if plan.given and not self._given:
            message = f"expected masks that are given in video {plan.video_id}, got none"
            yield self._problem("reference-missing", plan.index, message)
        elif plan.given:
            for number in sorted(self._seen.keys() - self._given.keys()):
                frame_id, path = self._seen[number]
                message = (
                    f"expected a reference mask of object {number} of video {plan.video_id}, got "
                    f"none; it first appears in {path}"
                )
                yield self._problem("object-never-given", path, message, frame_id)
        if plan.coding != "index" or plan.objects is None:
            return
        labelled = any(frame.label is not None for frame in plan.frames)
        for number in sorted(plan.objects - self._seen.keys() - self._given.keys()):
            # Where there are no labels, masks are all that could show the object.
            kind = "object-never-seen" if labelled else "object-never-given"
            message = (
                f"expected pixels of object {number}, which {plan.index} lists for video "
                f"{plan.video_id}, got none in any mask"
            )
            yield self._problem(kind, plan.index, message)

    def _objects(self, painted: Painted) -> list[int]:
        if self._plan.coding == "binary":
            return [1] if painted.pixels.keys() - {0} else []
        void = {0, VOID_LABEL} if self._is_index else {0}
        return sorted(painted.pixels.keys() - void)

    def _check_values(self, frame: FramePlan, painted: Painted, path: str) -> Iterator[Problem]:
        """The values of an index PNG; each unlisted object is told once in a video."""
        plan = self._plan
        if plan.coding != "index":
            return
        if VOID_LABEL in painted.pixels and not (plan.void_label or self._warned_of_255):
            self._warned_of_255 = True
            message = f"expected objects of video {plan.video_id} in {path}, got {VOID_LABEL}"
            yield self._problem("stray-255", path, message, frame.frame_id)
        if plan.objects is None:
            return
        new = set(self._objects(painted)) - plan.objects - self._unlisted
        for number in sorted(new):
            self._unlisted.add(number)
            if plan.unlisted_is_background:
                self._ignored.add(number)
            message = (
                f"expected objects that {plan.index} lists for video {plan.video_id}, got object "
                f"{number} in {path}"
            )
            if plan.unlisted_is_background:
                kind = "object-ignored"
                message = (
                    f"expected objects of the first mask of video {plan.video_id}, got object "
                    f"{number} in {path}: it counts as background"
                )
            elif plan.index.endswith("obj_class.json"):
                kind = "object-class-missing"
            else:
                kind = "object-unlisted"
            yield self._problem(kind, path, message, frame.frame_id)

    def _problem(self, kind: str, path: str, message: str, frame_id: str | None = None) -> Problem:
        return Problem(kind, path, message, self._plan.video_id, frame_id)
