"""The ids of a panoptic PNG by FFmpeg's decoder, for training without numba.

FFmpeg undoes the filters of the rows with vector instructions: a mask takes two thirds of the time
that it takes with Pillow. It does not complain of everything, though. Damage to a file is found
here, by the checksums; but where a broken program wrote an unknown filter or too few rows, with the
right checksums, FFmpeg makes do with what there is, and Pillow refuses it.
"""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np

from vps.compiled import load_kernels
from vps.io.png_runs import RGB, read_plain
from vps.structures import MAX_ID


def read_plain_ids(path: str | os.PathLike) -> np.ndarray | None:
    """Read the segment ids int32 [H, W] of a plain RGB PNG (``png_runs``), R + 256 G + 65536 B.

    Returns:
        None where another decoder is faster (numba's) or has to read the file: it is of another
        kind, or something is wrong with it.
    """
    if load_kernels("vps.io.png_kernels") is not None:
        return None
    try:
        data = Path(path).read_bytes()
    except OSError:
        return None
    return decode_plain_ids(data)


def decode_plain_ids(data: bytes) -> np.ndarray | None:
    """The same from the whole file's bytes, whatever is installed."""
    picture = read_plain(data, (RGB,))
    if picture is None:
        return None
    height, width = picture[:2]
    decoder = av.CodecContext.create("png", "r")
    try:
        frames = decoder.decode(av.Packet(data))
    except av.FFmpegError:
        return None
    if [(f.format.name, f.height, f.width) for f in frames] != [("rgb24", height, width)]:
        return None
    plane = frames[0].planes[0]
    content = np.frombuffer(plane, np.uint8)
    if plane.line_size == 3 * width:
        content = np.append(content, np.uint8(0))  # the last word reaches one byte further
    # Words of four bytes, three apart: the highest byte is the red of the pixel behind.
    words = np.ndarray((height, width), "<u4", content, strides=(plane.line_size, 3))
    return (words & MAX_ID).view(np.int32)
