"""The numbers in VIPSeg's raw masks, which say class and instance of a pixel in one.

With classes counted from 1, a pixel of stuff holds its class, one of a thing 100 class + instance
(0..99), and 0 is void. Numbers that break this rule are read as other classes by the public tools:
a stray 255 becomes ceiling, the hundredth instance the first of the next class.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from vps.data.check.plan import FramePlan, VideoPlan
from vps.data.check.problems import Problem
from vps.io.images import open_image
from vps.io.png_file import PngFile
from vps.structures import InputError

_LAST_INSTANCE = 99
_STRAY = 255


def decode_numbers(png: PngFile) -> np.ndarray:
    """The numbers of a raw mask, integers [H, W].

    Raises:
        InputError: it has colours.
    """
    image = open_image(png.path)
    if image.mode not in ("L", "P", "I", "I;16"):
        raise InputError(
            f"expected a raw mask of one channel, 8 or 16 bits, got mode {image.mode} in {png.path}"
        )
    return np.asarray(image)


def check_raw_values(
    values: Collection[int], path: str, plan: VideoPlan, frame: FramePlan
) -> Iterator[Problem]:
    """Problems of the numbers that occur in a raw mask; ``plan.categories`` are counted from 0."""
    for value in sorted(values):
        found = _judge(value, plan)
        if found is not None:
            kind, meaning = found
            message = f"expected class or 100 class + instance in {path}, got {value}, {meaning}"
            yield Problem(kind, path, message, plan.video_id, frame.frame_id)


def _judge(value: int, plan: VideoPlan) -> tuple[str, str] | None:
    """What is wrong with a number, if anything: the kind, and what the number stands for."""
    if value == 0:
        return None
    if value == _STRAY:
        return "stray-255", "which is void elsewhere and would be read as class 2"
    number, instance = (value, None) if value <= len(plan.categories) else divmod(value, 100)
    category = plan.categories.get(number - 1)
    if category is None:
        return "number-unknown", f"but there is no class {number}"
    if instance is None:
        missing = f"the thing {category.name} without an instance"
        return ("thing-without-instance", missing) if category.isthing else None
    if not category.isthing:
        return "stuff-with-instance", f"an instance of the stuff {category.name}"
    if instance == _LAST_INSTANCE:
        following = f"instance 99 of {category.name}: the next would be read as class {number + 1}"
        return "too-many-instances", following
    return None
