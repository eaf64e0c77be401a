"""From the filtered rows of a PNG straight to runs of equal pixels, compiled by numba.

PNG stores each pixel as its difference from a prediction, by one of five *filters* per row (PNG
specification, section 9). In a mask nearly all differences are 0, and then most pixels need not be
looked at: the prediction is evaluated where the difference is not 0 and where the row above changes
its colour. In between the colour holds, for

* None predicts nothing, so here the bytes themselves are compared with those of the pixel before;
* Sub predicts the colour on the left;
* Up predicts the colour above, and Average the mean of left and above: once both are equal, they
  stay so;
* Paeth predicts the colour on the left where above and upper left are equal.

``vps.compiled`` decides when kernels are used at all.
"""

from __future__ import annotations

import numpy as np

from vps.compiled import kernel

_NONE, _SUB, _UP, _AVERAGE, _PAETH = range(5)
_BLOCK = 8  # 64-bit words looked at together


@kernel
def find_runs(rows, height, width, channels):
    """Runs of a picture of 8-bit channels.

    Args:
        rows: uint8 [height * (1 + width * channels)], each row behind the number of its filter.
        channels: 1 to 3.

    Returns:
        starts int64 [R], positions in the flat picture (every row begins a run), and colours
        int32 [R], the channels as one number with the first in the lowest byte. R = 0 when a row
        has none of the five filters.
    """
    words = rows[: rows.size // 8 * 8].view(np.uint64)
    # Memory is only touched as far as it is used. Entry 0 is a row of zeros above the picture.
    starts = np.empty(height * width + 1, np.int32)
    colours = np.empty(height * width + 1, np.int32)
    starts[0], colours[0] = -width, 0
    above, end = 0, 1  # the first run of the row above, and where this row's runs begin
    for y in range(height):
        row, base = y * (1 + width * channels) + 1, y * width
        if rows[row - 1] > _PAETH:
            return starts[:0].astype(np.int64), colours[:0]
        next_end = _find_row_runs(
            rows, words, row, width, channels, base, starts, colours, above, end
        )
        above, end = end, next_end
    return starts[1:end].astype(np.int64), colours[1:end].copy()


@kernel
def _find_row_runs(rows, words, row, width, channels, base, starts, colours, above, end):
    """Append the runs of the row whose bytes begin at ``row`` and whose pixels at ``base``.

    Returns the end of its runs.
    """
    filter_type = rows[row - 1]
    step = channels if filter_type == _NONE else 0
    x, left, upper_left = 0, 0, 0
    change = 0  # the first changed pixel from x on; stale while it is below x
    while x < width:
        upper = colours[above]
        colour = _restore(rows, row + x * channels, channels, filter_type, left, upper, upper_left)
        if x == 0 or colour != left:
            starts[end], colours[end] = base + x, colour
            end += 1
        x += 1
        if change < x:
            first_byte, last_byte = row + x * channels, row + width * channels
            change = (_first_change(rows, words, first_byte, last_byte, step) - row) // channels
        hold = change
        if filter_type >= _UP:
            # The row above ends where this one begins, so its last run ends like any other.
            upper_ends = starts[above + 1] - base + width
            hold = min(hold, upper_ends)
            if filter_type != _PAETH and colour != upper:
                hold = x
            x = max(x, hold)
            above += upper_ends <= x
        x = max(x, hold)
        left, upper_left = colour, upper
    return end


@kernel
def _restore(rows, place, channels, filter_type, left, upper, upper_left):
    """The colour of the pixel whose bytes begin at ``place``."""
    colour = 0
    for channel in range(channels):
        shift = 8 * channel
        a, b, c = (left >> shift) & 255, (upper >> shift) & 255, (upper_left >> shift) & 255
        predicted = 0
        if filter_type == _SUB:
            predicted = a
        elif filter_type == _UP:
            predicted = b
        elif filter_type == _AVERAGE:
            predicted = (a + b) >> 1
        elif filter_type == _PAETH:
            to_a, to_b, to_c = abs(b - c), abs(a - c), abs(a + b - 2 * c)
            predicted = a if to_a <= to_b and to_a <= to_c else (b if to_b <= to_c else c)
        colour |= ((rows[place + channel] + predicted) & 255) << shift
    return colour


@kernel
def _first_change(rows, words, place, end, step):
    """The first byte from ``place`` on that differs from the one ``step`` bytes before it, or, with
    step 0, that is not 0; ``end`` where there is none before it.
    """
    while place < end and place % 8:
        if rows[place] != (rows[place - step] if step else 0):
            return place
        place += 1
    word, last = place // 8, end // 8
    while word + _BLOCK <= last:
        changed = np.uint64(0)
        for k in range(_BLOCK):
            changed |= _changed_bits(words, word + k, step)
        if changed:
            break
        word += _BLOCK
    while word < last and _changed_bits(words, word, step) == 0:
        word += 1
    place = max(place, 8 * word)
    while place < end and rows[place] == (rows[place - step] if step else 0):
        place += 1
    return place


@kernel
def _changed_bits(words, word, step):
    """Eight bytes at once, as little-endian words: not 0 where ``_first_change`` would stop."""
    if step == 0:
        return words[word]
    shift = np.uint64(8 * step)
    before = (words[word] << shift) | (words[word - 1] >> (np.uint64(64) - shift))
    return words[word] ^ before
