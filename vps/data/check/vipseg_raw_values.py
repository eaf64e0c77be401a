"""Checking the numbers in VIPSeg's raw masks (``vps.data.vipseg_numbers``)."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from vps.data.check.plan import FramePlan, VideoPlan
from vps.data.check.problems import Problem
from vps.data.vipseg_numbers import read_raw_number


def check_raw_values(
    values: Collection[int], path: str, plan: VideoPlan, frame: FramePlan
) -> Iterator[Problem]:
    """Problems of the numbers that occur in a raw mask."""
    for value in sorted(values):
        _, _, fault, meaning = read_raw_number(value)
        if fault:
            message = f"expected class or 100 class + instance in {path}, got {value}, {meaning}"
            yield Problem(fault, path, message, plan.video_id, frame.frame_id)
