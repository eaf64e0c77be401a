"""Masks with one bit per pixel: rows of 64-bit words, so that one operation treats 64 pixels.

Boundary metrics widen masks by ten to thirty pixels in every direction. On bytes that costs
milliseconds per object; on words it is a handful of shifts and ORs over an array that is a
sixty-fourth as long (a 1280x720 mask is 115 kB), which NumPy alone does in microseconds.

A bitmap is an array ``<u8 [..., H, words]``; pixel x is bit x % 64 of word x // 64, so the *later*
pixels are the higher bits and the later words. Bits at and beyond the width are 0 when packed.
Shifts move bits over the words of a row; what leaves a row is lost.
"""

from __future__ import annotations

from math import isqrt

import numpy as np

from vps.structures.bits import find_set_bits

WORD = np.dtype("<u8")
ONES = np.uint64(0xFFFF_FFFF_FFFF_FFFF)


def num_words(width: int) -> int:
    """Words that hold a row of ``width`` pixels."""
    return (width + 63) // 64


def pack(mask: np.ndarray) -> np.ndarray:
    """Pack bool [..., H, W] into words [..., H, num_words(W)]."""
    octets = np.packbits(mask, axis=-1, bitorder="little")
    words = num_words(mask.shape[-1])
    if octets.shape[-1] != 8 * words:
        padded = np.zeros((*octets.shape[:-1], 8 * words), np.uint8)
        padded[..., : octets.shape[-1]] = octets
        octets = padded
    return np.ascontiguousarray(octets).view(WORD)


def unpack(bits: np.ndarray, width: int) -> np.ndarray:
    """The bool mask [..., H, width] of words [..., H, words]."""
    octets = np.ascontiguousarray(bits).view(np.uint8)
    return np.unpackbits(octets, axis=-1, count=width, bitorder="little").view(bool)


def later(bits: np.ndarray, distance: int) -> np.ndarray:
    """Move every pixel ``distance`` >= 0 places to the right; zeros come in."""
    whole, part = divmod(distance, 64)
    words = bits.shape[-1]
    moved = np.zeros_like(bits)
    if whole >= words:
        return moved
    if part == 0:
        moved[..., whole:] = bits[..., : words - whole]
        return moved
    np.left_shift(bits[..., : words - whole], np.uint64(part), out=moved[..., whole:])
    moved[..., whole + 1 :] |= bits[..., : words - whole - 1] >> np.uint64(64 - part)
    return moved


def earlier(bits: np.ndarray, distance: int) -> np.ndarray:
    """Move every pixel ``distance`` >= 0 places to the left; zeros come in."""
    whole, part = divmod(distance, 64)
    words = bits.shape[-1]
    moved = np.zeros_like(bits)
    if whole >= words:
        return moved
    if part == 0:
        moved[..., : words - whole] = bits[..., whole:]
        return moved
    np.right_shift(bits[..., whole:], np.uint64(part), out=moved[..., : words - whole])
    moved[..., : words - whole - 1] |= bits[..., whole + 1 :] << np.uint64(64 - part)
    return moved


def contains(bits: np.ndarray, places: np.ndarray) -> np.ndarray:
    """bool [N]: whether the pixels at ``places`` are set; row y, pixel x of a bitmap [H, words] is
    place 64 * words * y + x.
    """
    octets = bits.reshape(-1).view(np.uint8)[places >> 3]
    return (octets >> (places & 7).astype(np.uint8) & 1).view(bool)


def set_places(bits: np.ndarray) -> np.ndarray:
    """The places int64 [N] (see ``contains``) of the set pixels of a bitmap [H, words], sorted."""
    return find_set_bits(bits.reshape(-1).view(np.uint8))


def places_of(rows: np.ndarray, columns: np.ndarray, words: int) -> np.ndarray:
    """The places of pixels in a bitmap of rows of ``words``."""
    return 64 * words * rows + columns


def pixels_at(places: np.ndarray, words: int, width: int) -> np.ndarray:
    """Positions in a flattened array [H, width] of the pixels at places of a bitmap [H, words]."""
    spare = 64 * words - width
    return places - spare * (places // (64 * words)) if spare else places


def dilate_square(bits: np.ndarray, size: int) -> np.ndarray:
    """OR over the ``size`` x ``size`` pixels that end at each pixel: itself and those above and to
    the left. ``bits`` [H, words]; ``size`` >= 1.
    """
    result = bits.copy()
    reach = 1
    while reach < size:  # doubling: a window of m and the same window m further make one of 2m
        step = min(reach, size - reach)
        result |= later(result, step)
        reach += step
    reach = 1
    while reach < size:
        step = min(reach, size - reach)
        result[step:] |= result[:-step].copy()
        reach += step
    return result


def dilate_disk(bits: np.ndarray, radius: int) -> np.ndarray:
    """OR over the disk x^2 + y^2 <= radius^2 around each pixel. ``bits`` [..., H, words].

    From the topmost row of the disk to its middle the rows only get wider, so the mask is widened
    step by step and ORed into the rows above and below at each distance. A row at the bitmap's edge
    loses nothing within the bitmap by bits that were shifted out, because no step is longer than
    what already stands on this side of the edge.
    """
    height = bits.shape[-2]
    result = np.zeros_like(bits)
    widened, half_width = bits, 0
    for distance in range(radius, -1, -1):
        wanted = isqrt(radius * radius - distance * distance)
        while half_width < wanted:
            step = min(half_width + 1, wanted - half_width)
            widened = widened | later(widened, step) | earlier(widened, step)
            half_width += step
        if distance == 0:
            result |= widened
        elif distance < height:
            result[..., distance:, :] |= widened[..., :-distance, :]
            result[..., :-distance, :] |= widened[..., distance:, :]
    return result
