"""Segment ids that look like their classes' colours, and are the same in every run.

Panoptic PNGs are pictures to look at as well: an id is the colour R + 256 G + 65536 B. Stuff has
the colour of its class, in all videos; the first thing of a class has the colour of its class
unless that is taken, the others have colours near it. The public tools draw these at random; here
they follow from the class, the instance and what the video had before, so that preparing twice, or
on another number of processes, gives the same files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from vps.structures import Category

_REACH = 30  # per channel, from the colour of the class
_TRIES_NEARBY = 2000  # then any colour will do


class SegmentIds:
    """Gives ids to the segments of one video.

    No id is given twice or is 0, and none of a thing is a colour of a class of stuff, present or
    not (in VIPSeg, car and Playground_slide have one colour).

    Args:
        categories: of the data set; a position is a contiguous id.
    """

    def __init__(self, categories: Sequence[Category]) -> None:
        self._categories = categories
        self._ids: dict[tuple[int, int | None], int] = {}
        self._stuff = _distinct_ids(categories)
        self._given = {0, *self._stuff.values()}

    def of(self, category: int, instance: int | None = None) -> int:
        """The id of a segment: of an instance, or (None) of the class as a whole.

        Ids depend on the order in which new segments are asked for: take the frames in the order of
        time and their segments in ascending order.
        """
        key = (category, instance)
        if key not in self._ids:
            self._ids[key] = self._new_id(category, instance)
            self._given.add(self._ids[key])
        return self._ids[key]

    def _new_id(self, category: int, instance: int | None) -> int:
        if category in self._stuff and instance is None:
            return self._stuff[category]
        color = self._categories[category].color
        if _id_of(color) not in self._given:
            return _id_of(color)
        candidates = _candidates(color, f"{category}/{instance}")
        return next(candidate for candidate in candidates if candidate not in self._given)


def _id_of(color: Iterable[int]) -> int:
    red, green, blue = color
    return red + 256 * green + 65536 * blue


def _distinct_ids(categories: Sequence[Category]) -> dict[int, int]:
    """{category: id} of stuff, distinct even where two classes share a colour or one is black."""
    ids: dict[int, int] = {}
    given = {0}
    for index, category in enumerate(categories):
        if not category.isthing:
            nearby = _candidates(category.color, category.name)
            candidates = chain([_id_of(category.color)], nearby)
            ids[index] = next(candidate for candidate in candidates if candidate not in given)
            given.add(ids[index])
    return ids


def _candidates(color: Sequence[int], name: str) -> Iterator[int]:
    """Ids near a colour in an order that looks random and follows from ``name``; then all."""
    for attempt in range(_TRIES_NEARBY):
        digest = hashlib.sha256(f"{name}/{attempt}".encode()).digest()
        offsets = (byte % (2 * _REACH + 1) - _REACH for byte in digest)
        yield _id_of(min(max(c + offset, 0), 255) for c, offset in zip(color, offsets))
    yield from range(1, 256**3)
