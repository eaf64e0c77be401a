"""LabelRuns: a map of segment ids as runs of equal pixels.

A mask is almost constant along its rows. A map of 720 x 1280 pixels has some ten thousand runs, so
whatever only asks which ids there are, how many pixels they have, or what they cover of another
map is far cheaper on the runs than on the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vps.structures.coding import rgb_to_ids

_CHUNK = 1 << 17  # bytes or pixels compared at a time, so that the temporaries stay in the cache


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
        starts = _changes(flat, 1)
        values = flat[starts]
        if values.dtype.itemsize > 4:
            values = np.clip(values, -(2**31), 2**31 - 1)
        return cls(ids.shape, starts, values.astype(np.int32))

    @classmethod
    def from_rgb(cls, rgb: np.ndarray) -> LabelRuns:
        """Take the colours uint8 [H, W, 3] of a panoptic PNG, without making ids of all pixels."""
        starts = _changes(rgb.reshape(-1), 3) // 3
        starts = starts[np.flatnonzero(np.diff(starts, prepend=-1))]  # several channels changed
        return cls(rgb.shape[:2], starts, rgb_to_ids(rgb.reshape(-1, 3)[starts]))

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1]

    @property
    def lengths(self) -> np.ndarray:
        """Pixels int64 [R] of each run."""
        return np.diff(self.starts, append=self.size)

    def to_map(self) -> np.ndarray:
        """The map int32 [H, W]."""
        return np.repeat(self.ids, self.lengths).reshape(self.shape)

    def count_ids(self) -> tuple[np.ndarray, np.ndarray]:
        """The ids that occur, ascending, and the pixels of each: int32 [N] and int64 [N]."""
        order = np.argsort(self.ids)
        ids = self.ids[order]
        first = np.flatnonzero(np.diff(ids, prepend=ids[:1] - 1))
        return ids[first], np.add.reduceat(self.lengths[order], first) if len(first) else first


def _changes(flat: np.ndarray, step: int) -> np.ndarray:
    """Positions int64 of a flat array that differ from those ``step`` before; and 0 if there is
    one.
    """
    positions = [np.zeros(min(1, flat.size), np.int64)]
    for begin in range(0, flat.size - step, _CHUNK):
        end = min(flat.size - step, begin + _CHUNK)
        changed = np.flatnonzero(flat[begin + step : end + step] != flat[begin:end])
        positions.append(changed + (begin + step))
    return np.concatenate(positions)
