"""Writing of index PNGs: one channel whose value is the number of an object, shown in colours.

The masks of DAVIS, YouTube-VOS and VIPOSeg are such pictures. The colours are only for the eye;
they are those that all three use, made by spreading the bits of the number over red, green and
blue.
"""

from __future__ import annotations

import os
from functools import cache

import numpy as np
from PIL import Image

from vps.io.atomic import atomic_write

MAX_OBJECT = 254  # 255 is void in these data sets
VOID_LABEL = 255


def write_index_png(path: str | os.PathLike, labels: np.ndarray) -> None:
    """Write labels, integers [H, W] in 0..255, as a palette PNG of 8 bits, atomically.

    Raises:
        ValueError: the labels are no integers of this range.
    """
    if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"expected integers [H, W], got {labels.dtype} {list(labels.shape)}")
    if labels.size and not 0 <= labels.min() <= labels.max() <= VOID_LABEL:
        raise ValueError(f"expected labels in 0..255, got {labels.min()}..{labels.max()}")
    image = Image.fromarray(labels.astype(np.uint8))
    image.putpalette(object_palette())  # mode L becomes P
    with atomic_write(path) as file:
        image.save(file, format="PNG", compress_level=1)


@cache
def object_palette() -> bytes:
    """256 colours of three bytes: the bits 0, 1, 2 of a number are the highest of red, green and
    blue, bits 3, 4, 5 the next ones, and so on. Number 0 is black, 1 is dark red.
    """
    colors = np.zeros((256, 3), np.uint8)
    numbers = np.arange(256)
    for bit in range(8):
        level, channel = divmod(bit, 3)
        colors[:, channel] |= (((numbers >> bit) & 1) << (7 - level)).astype(np.uint8)
    return colors.tobytes()
