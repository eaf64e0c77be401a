"""PNG files of every flavour, made by hand, since Pillow writes only some."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2)]
ADAM7.append((1, 0, 2, 1))  # (first row, first column, step of rows, step of columns)


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk with its length and checksum."""
    checksum = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def filter_rows(samples: np.ndarray, filters: Sequence[int]) -> bytes:
    """The rows of uint8 [H, W, C], row y filtered by ``filters[y % len(filters)]``."""
    height, _, channels = samples.shape
    rows, above = [], np.zeros_like(samples[0], np.int32)
    for y in range(height):
        row = samples[y].astype(np.int32)
        left = np.concatenate([np.zeros((1, channels), np.int32), row[:-1]])
        corner = np.concatenate([np.zeros((1, channels), np.int32), above[:-1]])
        estimate = left + above - corner
        distances = np.abs(estimate - np.stack([left, above, corner]))  # [3, W, C]
        paeth = np.choose(distances.argmin(axis=0), [left, above, corner])  # the first of the least
        kind = filters[y % len(filters)]
        predicted = [0 * row, left, above, (left + above) // 2, paeth][kind]
        rows.append(bytes([kind]) + ((row - predicted) % 256).astype(np.uint8).tobytes())
        above = row
    return b"".join(rows)


def make_png(
    samples: np.ndarray,
    colour_type: int,
    *,
    filters: Sequence[int] = (0,),
    depth: int = 8,
    interlaced: bool = False,
    cut: int | None = None,
    palette: bytes | None = b"",
    extra: bytes = b"",
    rows: bytes | None = None,
    stream: bytes | None = None,
    level: int = 6,
) -> bytes:
    """A PNG file.

    Args:
        samples: [H, W, C]; uint8, or uint16 with ``depth`` 16.
        colour_type: as PNG numbers them.
        filters: by row, in turn.
        cut: length of the pieces that the IDAT stream is cut into.
        palette: b"" makes one of 256 colours where the type needs it.
        extra: chunks to put before IDAT.
        rows, stream: use these filtered rows, or this compressed stream, instead.
    """
    height, width, channels = samples.shape
    assert channels == CHANNELS[colour_type]
    if rows is None:
        parts = [samples]
        if interlaced:
            parts = [samples[y::dy, x::dx] for y, x, dy, dx in ADAM7]
        if depth == 16:
            parts = [part.astype(">u2").view(np.uint8) for part in parts]
        rows = b"".join(filter_rows(np.ascontiguousarray(p), filters) for p in parts if p.size)
    stream = zlib.compress(rows, level) if stream is None else stream
    if palette == b"":
        palette = bytes(range(256)) * 3 if colour_type == 3 else None
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced)
    pieces = [stream[k : k + (cut or len(stream))] for k in range(0, len(stream), cut or 10**9)]
    return (
        SIGNATURE
        + chunk(b"IHDR", header)
        + (chunk(b"PLTE", palette) if palette else b"")
        + extra
        + b"".join(chunk(b"IDAT", piece) for piece in pieces)
        + chunk(b"IEND", b"")
    )
