"""VIPSeg's raw masks: one number per pixel says class and instance.

With classes counted from 1, a pixel of stuff holds its class, one of a thing 100 class + instance,
and 0 is void. A class in 1..124 that is one of things is a region whose instances nobody told
apart: one segment, as in the official tool. Numbers that stand for nothing become void here, while
the official tool reads a stray 255 as a ceiling.
"""

from __future__ import annotations

import numpy as np

from vps.data.datasets.vipseg_categories import VIPSEG_CATEGORIES
from vps.data.prepare.findings import Report
from vps.data.prepare.segment_ids import SegmentIds

CLASSES = len(VIPSEG_CATEGORIES)
MOST_INSTANCES = 100  # of a class in a video: a further one would be read as the next class


def decode_raw_mask(
    raw: np.ndarray, ids: SegmentIds, report: Report
) -> tuple[np.ndarray, dict[int, int]]:
    """Turn a raw mask into segment ids.

    Args:
        raw: integers >= 0 [H, W].
        ids: of the video; the frames have to come in the order of time.
        report: called with a sentence about everything odd.

    Returns:
        ids int32 [H, W] (0 = void) and {id: category id of the JSON, 0..123}, stuff first and by
        ascending raw number, as the official files list segments.
    """
    present = np.flatnonzero(np.bincount(raw.ravel()))
    lookup = np.zeros(int(present[-1]) + 1, np.int32)
    categories: dict[int, int] = {}
    for value in present.tolist():
        found = read_raw_value(value, report)
        if found is not None:
            segment_id = ids.of(*found)
            lookup[value] = segment_id
            categories[segment_id] = found[0]
    return lookup[raw], categories


def read_raw_value(value: int, report: Report) -> tuple[int, int | None] | None:
    """(category id 0..123, instance or None) of a raw number; None: void."""
    if value == 0:
        return None
    if value <= CLASSES:
        if VIPSEG_CATEGORIES[value - 1].isthing:
            report(f"raw number {value}, a class of things without an instance: one segment")
        return value - 1, None
    number, instance = divmod(value, 100)
    if not 3 <= number <= CLASSES:  # 3 is the first class of things
        report(f"raw number {value}, which stands for no class and is taken as void")
        return None
    if not VIPSEG_CATEGORIES[number - 1].isthing:
        report(f"raw number {value}, an instance of a class of stuff: the class as a whole")
        return number - 1, None
    if instance == MOST_INSTANCES - 1:
        report(f"raw number {value}, instance 99: the next would be read as another class")
    return number - 1, instance
