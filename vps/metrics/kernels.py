"""Compiled counterpart of ``frame_table.count_run_pairs``; see ``vps.compiled`` for the choice.

Two steps: both lists of runs become one list over which neither map changes; then these are added
up in a small hash table with open addressing, which is asked only where a pair differs from the one
before. (Finding the runs of a map is not worth compiling: NumPy compares as fast.)
"""

from __future__ import annotations

import numpy as np

from vps.compiled import kernel

_FIRST_SLOTS = 1024  # of the hash table, a power of two


@kernel
def count_run_pairs(gt_starts, gt_ids, pred_starts, pred_ids, size):
    """Count pairs in two maps of ``size`` pixels, given as in ``LabelRuns``.

    Returns:
        keys uint64 [N] (ground-truth id << 32 | lower 32 bits of the predicted id), in no order,
        and pixels int64 [N].
    """
    most = gt_starts.size + pred_starts.size
    keys, ends = np.empty(most, np.uint64), np.empty(most, np.int64)
    runs = g = p = place = 0
    while place < size:
        gt_end = gt_starts[g + 1] if g + 1 < gt_starts.size else size
        pred_end = pred_starts[p + 1] if p + 1 < pred_starts.size else size
        place = min(gt_end, pred_end)
        keys[runs], ends[runs] = _key(gt_ids[g], pred_ids[p]), place
        runs += 1
        g += gt_end == place
        p += pred_end == place
    return _add_up(keys[:runs], ends[:runs])


@kernel
def _key(gt_id, pred_id):
    low = np.uint64(0xFFFFFFFF)
    return ((np.uint64(gt_id) & low) << np.uint64(32)) | (np.uint64(pred_id) & low)


@kernel
def _add_up(run_keys, run_ends):
    """Pixels of every distinct key among runs that follow each other from 0."""
    keys, pixels = np.empty(_FIRST_SLOTS, np.uint64), np.zeros(_FIRST_SLOTS, np.int64)
    number, slot, begin = 0, np.uint64(0), 0
    for run in range(run_keys.size):
        key = run_keys[run]
        if pixels[slot] == 0 or keys[slot] != key:
            if 2 * number >= keys.size:
                keys, pixels = _grow(keys, pixels)
            slot = _find(keys, pixels, key)
            number += pixels[slot] == 0
            keys[slot] = key
        pixels[slot] += run_ends[run] - begin
        begin = run_ends[run]
    used = np.flatnonzero(pixels)
    return keys[used], pixels[used]


@kernel
def _find(keys, pixels, key):
    """The slot of ``key``, or the free one (without pixels) where it belongs."""
    mask = np.uint64(keys.size - 1)
    slot = ((key * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & mask
    while pixels[slot] != 0 and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return slot


@kernel
def _grow(old_keys, old_pixels):
    """A table of four times the size with the same content."""
    keys, pixels = np.empty(4 * old_keys.size, np.uint64), np.zeros(4 * old_keys.size, np.int64)
    for old in np.flatnonzero(old_pixels):
        slot = _find(keys, pixels, old_keys[old])
        keys[slot], pixels[slot] = old_keys[old], old_pixels[old]
    return keys, pixels
