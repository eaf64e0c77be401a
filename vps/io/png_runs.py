"""Label PNGs as runs of equal pixels, without making the pixels.

The rows of a PNG are stored filtered, which turns a mask into zeros nearly everywhere. With numba
the runs are found in those zeros, for a tenth of the time that decoding takes (half of it without
the package ``deflate``, libdeflate's binding, because zlib inflates more slowly).

Only plain files are read this way, the kind that masks are: whole, not interlaced, 8 bits per
channel, RGB or palette or gray, with no other chunks than these need. Any other file, and any with
the slightest defect, is left to the ordinary decoder; so what is accepted, what comes out and what
is reported as wrong are the same on both paths.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable, Collection
from functools import cache

import numpy as np

from vps.compiled import load_kernels
from vps.structures import LabelRuns

GRAY, RGB, PALETTE = 0, 2, 3  # colour types, as PNG numbers them

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {GRAY: 1, RGB: 3, PALETTE: 1}
_MOST_PIXELS = 1 << 26  # larger pictures are suspicious; Pillow has its say on them


def decode_runs(data: bytes, colour_types: Collection[int]) -> LabelRuns | None:
    """Find the runs of a PNG.

    Args:
        data: the whole file.
        colour_types: those to accept, of ``GRAY``, ``RGB`` and ``PALETTE``.

    Returns:
        The runs; ids are R + 256 G + 65536 B in an RGB picture, else the values that are stored.
        None where the ordinary decoder has to read the file: numba is absent or not wanted, the
        file is of another kind, or something is wrong with it.
    """
    kernels = load_kernels("vps.io.png_kernels") if sys.byteorder == "little" else None
    picture = None if kernels is None else read_plain(data, colour_types)
    if picture is None:
        return None
    height, width, channels, stream = picture
    rows = _inflate(stream, height * (1 + width * channels))
    if rows is None:
        return None
    starts, ids = kernels.find_runs(rows, height, width, channels)
    return LabelRuns((height, width), starts, ids) if len(starts) else None


def read_plain(data: bytes, colour_types: Collection[int]) -> tuple[int, int, int, bytes] | None:
    """(height, width, channels, compressed rows) of a PNG that is plain and whole, as above; None
    for any other.
    """
    chunks = _read_chunks(data)
    if chunks is None:
        return None
    width, height, depth, colour_type, *methods = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    plain = depth == 8 and not any(methods) and (b"PLTE" in chunks) == (colour_type == PALETTE)
    if not plain or colour_type not in colour_types or not 0 < width * height <= _MOST_PIXELS:
        return None
    return height, width, _CHANNELS[colour_type], chunks[b"IDAT"]


def _read_chunks(data: bytes) -> dict[bytes, bytes] | None:
    """The chunks of a PNG by their names, IDAT joined; None unless they are IHDR, PLTE or none,
    IDAT and IEND in this order, each with the right length and checksum, and nothing else.
    """
    view, names, idat = memoryview(data), [], []
    chunks = {}
    place = len(_SIGNATURE)
    while place < len(data):
        if place + 12 > len(data):
            return None
        length, name = struct.unpack_from(">I4s", data, place)
        content = view[place + 8 : place + 8 + length]
        end = place + 12 + length
        if end > len(data) or zlib.crc32(view[place + 4 : end - 4]) != int.from_bytes(
            view[end - 4 : end], "big"
        ):
            return None
        if name == b"IDAT":
            idat.append(content)
        if not names or (names[-1], name) != (b"IDAT", b"IDAT"):
            names.append(name)
        chunks[name] = content
        place = end
    if not data.startswith(_SIGNATURE) or names not in (
        [b"IHDR", b"IDAT", b"IEND"],
        [b"IHDR", b"PLTE", b"IDAT", b"IEND"],
    ):
        return None
    palette = len(chunks.get(b"PLTE", b"rgb"))
    if len(chunks[b"IHDR"]) != 13 or len(chunks[b"IEND"]) or not 0 < palette <= 768 or palette % 3:
        return None
    return {**chunks, b"IDAT": idat[0] if len(idat) == 1 else b"".join(idat)}


def _inflate(stream: bytes, size: int) -> np.ndarray | None:
    """Undo the compression: uint8 [size]; None when the stream is damaged or of another size."""
    rows = _inflater()(stream, size)
    return None if rows is None or len(rows) != size else np.frombuffer(rows, np.uint8)


@cache
def _inflater() -> Callable[[bytes, int], bytes | None]:
    """(zlib stream, most bytes) -> its content, or None when it is damaged or longer."""
    try:
        from deflate import DeflateError, zlib_decompress
    except ImportError:
        return _inflate_with_zlib

    def inflate_with_libdeflate(stream: bytes, size: int) -> bytes | None:
        try:
            return zlib_decompress(stream, size)
        except DeflateError:
            return None

    return inflate_with_libdeflate


def _inflate_with_zlib(stream: bytes, size: int) -> bytes | None:
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(stream, size)
        # At the end of the stream stands the checksum, which has to be read as well.
        longer = inflater.decompress(inflater.unconsumed_tail, 1)
    except zlib.error:
        return None
    return content if inflater.eof and not longer else None
