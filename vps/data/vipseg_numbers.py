"""The numbers in VIPSeg's raw masks, which say class and instance of a pixel in one.

With classes counted from 1, a pixel of stuff holds its class (1..124), one of a thing 100 class +
instance (0..99), and 0 is void. The first class of things is 3, so 125..299 stand for nothing.

The public tools read whatever they find: a stray 255 becomes ceiling, the hundredth instance the
first of the next class. Here such numbers are named, and those that stand for nothing are void.
"""

from __future__ import annotations

from typing import NamedTuple

from vps.data.datasets.vipseg_categories import VIPSEG_CATEGORIES

_CLASSES = len(VIPSEG_CATEGORIES)
_FIRST_THING = 1 + next(c.dataset_id for c in VIPSEG_CATEGORIES if c.isthing)
_LAST_INSTANCE = 99
_STRAY = 255


class RawNumber(NamedTuple):
    """What a raw number means.

    Attributes:
        category: id of the JSON, 0..123; None: void.
        instance: 0..99 of a thing; None of stuff, and of things whose instances nobody told apart.
        fault: what is wrong with the number, a kind of ``vps.data.check.problems``; "" if nothing.
        meaning: the fault as the end of a sentence about the number.
    """

    category: int | None
    instance: int | None = None
    fault: str = ""
    meaning: str = ""


def read_raw_number(value: int) -> RawNumber:
    """What a number >= 0 of a raw mask means, and what is wrong with it."""
    if value == 0:
        return RawNumber(None)
    if value == _STRAY:
        return RawNumber(
            None, None, "stray-255", "void elsewhere, which would be read as ceiling: void"
        )
    number, instance = (value, None) if value <= _CLASSES else divmod(value, 100)
    if not (1 if instance is None else _FIRST_THING) <= number <= _CLASSES:
        return RawNumber(None, None, "number-unknown", "which stands for no class: void")
    category = VIPSEG_CATEGORIES[number - 1]
    if instance is None:
        if not category.isthing:
            return RawNumber(number - 1)
        # One segment, as in the official tool.
        meaning = f"the thing {category.name} without an instance: one segment"
        return RawNumber(number - 1, None, "thing-without-instance", meaning)
    if not category.isthing:
        meaning = f"an instance of the stuff {category.name}: the class as a whole"
        return RawNumber(number - 1, None, "stuff-with-instance", meaning)
    if instance == _LAST_INSTANCE:
        meaning = f"instance 99 of {category.name}: the next would be read as class {number + 1}"
        return RawNumber(number - 1, instance, "too-many-instances", meaning)
    return RawNumber(number - 1, instance)
