"""References: the masks that a video object segmentation model is given, and who gives them.

A model of this kind is told each object once, by a mask in some frame, and follows it from there.
Who tells is a choice: the ground truth (the protocol of the benchmarks) or another model, which
also looks at what was predicted. The first kind is a ``References``, the second a
``ReferencePolicy``; a model asks either once per frame, in the order of time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

from vps.structures.panoptic import PanopticFrame
from vps.structures.stream import Frame

# Called once per frame, in order; gives the objects whose masks are given at this frame (ids int32
# [H, W] at the frame's size, 0 = nothing given here) and what they are, or None.
References = Callable[[Frame], PanopticFrame | None]


class ReferenceUpdate(NamedTuple):
    """What changes at a frame.

    Attributes:
        given: masks of new objects, and better masks of known ones: they win over the prediction
            wherever they are not 0. None: nothing is given.
        retired: ids of objects that are followed no longer; they leave this frame too.
    """

    given: PanopticFrame | None = None
    retired: frozenset[int] = frozenset()


@runtime_checkable
class ReferencePolicy(Protocol):
    """Decides frame by frame, knowing what was predicted; holds the state of one video."""

    def update(self, frame: Frame, predicted: PanopticFrame | None) -> ReferenceUpdate:
        """Called once per frame, in order.

        Args:
            frame: the frame.
            predicted: where the model sees the known objects in it, at the frame's size; None as
                long as there are none.
        """
        ...


def as_policy(references: References | ReferencePolicy) -> ReferencePolicy:
    """The policy that gives what ``references`` gives, whatever was predicted."""
    return references if isinstance(references, ReferencePolicy) else _Unconditional(references)


class _Unconditional:
    def __init__(self, references: References) -> None:
        self._references = references

    def update(self, frame: Frame, predicted: PanopticFrame | None) -> ReferenceUpdate:
        return ReferenceUpdate(self._references(frame))
