"""The matching of two contours and the widening of masks, compiled by numba where that is there.

For contours NumPy has to widen whole bitmaps, however few pixels are left unmatched; a compiled
loop looks, for every contour pixel, at one row of the other side's bitmap after the other, the
nearest first, and stops at the first hit, which in a fair prediction is one of the first few. The
results are those of ``contours.count_matches``. Masks are widened in place, a row at a time, where
NumPy makes a new one for every step. See ``vps.compiled`` for the choice between them.
"""

from __future__ import annotations

from math import isqrt

import numpy as np

from vps.compiled import kernel

Contour = tuple[np.ndarray, np.ndarray]


def count_matches(gt: Contour, pred: Contour, radius: int) -> tuple[int, int]:
    """As ``contours.count_matches``."""
    half_widths = np.array(
        [isqrt(radius * radius - distance * distance) for distance in range(radius + 1)], np.int64
    )
    return _count_both(*gt, *pred, half_widths)


@kernel
def _count_both(gt_rows, gt_columns, pred_rows, pred_columns, half_widths):
    return (
        _count_near(gt_rows, gt_columns, pred_rows, pred_columns, half_widths),
        _count_near(pred_rows, pred_columns, gt_rows, gt_columns, half_widths),
    )


@kernel
def _count_near(rows, columns, target_rows, target_columns, half_widths):
    """How many pixels have a target in their disk; ``half_widths`` of it by distance of the row."""
    radius = half_widths.size - 1
    top, left = target_rows.min(), target_columns.min() - radius
    height, width = target_rows.max() - top + 1, target_columns.max() + radius + 1 - left
    bits = np.zeros((height, (width + 63) // 64), np.uint64)
    for index in range(target_rows.size):
        place = target_columns[index] - left
        bits[target_rows[index] - top, place >> 6] |= np.uint64(1) << np.uint64(place & 63)
    near = 0
    for index in range(rows.size):
        row, column = rows[index] - top, columns[index] - left
        if column < 0 or column >= width:
            continue
        for distance in range(radius + 1):
            reach = half_widths[distance]
            if _any_set(bits, row - distance, column - reach, column + reach) or (
                distance > 0 and _any_set(bits, row + distance, column - reach, column + reach)
            ):
                near += 1
                break
    return near


@kernel
def _any_set(bits, row, first, last):
    """Whether any of the pixels first..last of a row is set; all may lie outside the bitmap."""
    if row < 0 or row >= bits.shape[0]:
        return False
    first, last = max(first, 0), min(last, 64 * bits.shape[1] - 1)
    for word in range(first >> 6, (last >> 6) + 1):
        chosen = bits[row, word]
        if word == first >> 6:
            chosen = chosen >> np.uint64(first & 63) << np.uint64(first & 63)
        if word == last >> 6:
            chosen = chosen << np.uint64(63 - (last & 63))
        if chosen != 0:
            return True
    return False


@kernel
def dilate_square(bits, size):
    """As ``bit_rows.dilate_square``."""
    result = bits.copy()
    height, words = result.shape
    reach = 1
    while reach < size:
        step = min(reach, size - reach)
        for row in range(height):
            _add_later(result[row], step)
        reach += step
    reach = 1
    while reach < size:
        step = min(reach, size - reach)
        for row in range(height - 1, step - 1, -1):  # upwards: what is read is not yet widened
            for word in range(words):
                result[row, word] |= result[row - step, word]
        reach += step
    return result


@kernel
def _add_later(row, distance):
    """OR a row of words with itself, moved ``distance`` places to the right."""
    whole, part = distance >> 6, np.uint64(distance & 63)
    for word in range(row.size - 1, whole - 1, -1):  # leftwards, as above
        row[word] |= row[word - whole] << part
        if part > 0 and word > whole:
            row[word] |= row[word - whole - 1] >> (np.uint64(64) - part)
