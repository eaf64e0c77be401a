"""LabelRuns: a map of segment ids as runs of equal pixels.

A mask is almost constant along its rows. A map of 720 x 1280 pixels has some ten thousand runs, so
whatever only asks which ids there are, how many pixels they have, or what they cover of another
map is far cheaper on the runs than on the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vps.structures.bits import find_set_bits
from vps.structures.coding import MAX_ID


@dataclass(frozen=True, eq=False)
class LabelRuns:
    """A map of H x W ids, read row by row, as R runs.

    Attributes:
        shape: (H, W).
        starts: int64 [R], where each run begins in the flat map; ascending from 0. Neighbouring
            runs may carry the same id.
        ids: int32 [R].
    """

    shape: tuple[int, int]
    starts: np.ndarray
    ids: np.ndarray

    @classmethod
    def from_map(cls, ids: np.ndarray) -> LabelRuns:
        """Take integers [H, W]. Those beyond int32 become its limits, which are no segment ids
        either.
        """
        flat = ids.reshape(-1)
        starts = _find_starts(flat)
        values = flat[starts]
        if values.dtype.itemsize > 4:
            values = np.clip(values, -(2**31), 2**31 - 1)
        return cls(ids.shape, starts, values.astype(np.int32))

    @classmethod
    def from_words(cls, words: np.ndarray) -> LabelRuns:
        """Take the colours of a panoptic PNG as uint32 [H, W], R in the lowest byte, then G and B;
        the highest byte means nothing.
        """
        flat = words.reshape(-1)
        starts = _find_starts(flat)
        return cls(words.shape, starts, (flat[starts] & MAX_ID).astype(np.int32))

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1]

    @property
    def lengths(self) -> np.ndarray:
        """Pixels int64 [R] of each run."""
        return np.diff(self.starts, append=self.size)

    def to_map(self, dtype: npt.DTypeLike = np.int32) -> np.ndarray:
        """The map [H, W] in a type of integers that holds the ids."""
        ids = self.ids.astype(dtype, copy=False)
        return np.repeat(ids, self.lengths).reshape(self.shape)

    def count_ids(self) -> tuple[np.ndarray, np.ndarray]:
        """The ids that occur, ascending, and the pixels of each: int32 [N] and int64 [N]."""
        ids = np.unique(self.ids)
        # Sums of floats are exact here: no picture has 2^53 pixels.
        areas = np.bincount(np.searchsorted(ids, self.ids), self.lengths, len(ids))
        return ids, areas.astype(np.int64)


def _find_starts(flat: np.ndarray) -> np.ndarray:
    """Positions int64 of a flat array that differ from the one before; and 0 if there is one."""
    starts = np.empty(flat.size, bool)
    starts[:1] = True
    np.not_equal(flat[1:], flat[:-1], out=starts[1:])
    return find_set_bits(np.packbits(starts, bitorder="little"))
