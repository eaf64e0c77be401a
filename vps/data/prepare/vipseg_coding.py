"""From VIPSeg's raw masks (``vps.data.vipseg_numbers``) to segment ids."""

from __future__ import annotations

import numpy as np

from vps.data.prepare.findings import Report
from vps.data.prepare.segment_ids import SegmentIds
from vps.data.vipseg_numbers import read_raw_number


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
        number = read_raw_number(value)
        if number.fault:
            report(f"raw number {value}, {number.meaning}")
        if number.category is not None:
            segment_id = ids.of(number.category, number.instance)
            lookup[value] = segment_id
            categories[segment_id] = number.category
    return lookup[raw], categories
