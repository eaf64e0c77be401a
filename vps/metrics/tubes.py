"""Tubes: what all pixels of one id are in a window of frames.

Areas add up over the frames of the window. Class and crowd flag are those of the first frame of the
window that lists the id, which may differ from window to window where an id changes its class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vps.metrics.video_tables import Listing


@dataclass(frozen=True, eq=False)
class Windows:
    """The windows of ``length`` frames that begin at ``starts``, int64 [W], in T = ``frames``."""

    starts: np.ndarray
    length: int
    frames: int

    def sum(self, by_frame: np.ndarray) -> np.ndarray:
        """Add int64 [T, X] over the frames of each window: [W, X]."""
        total = np.zeros((self.frames + 1, by_frame.shape[1]), np.int64)
        np.cumsum(by_frame, axis=0, out=total[1:])
        return total[self.starts + self.length] - total[self.starts]


@dataclass(frozen=True, eq=False)
class Tubes:
    """One side's X ids in W windows; all arrays are [W, X].

    Attributes:
        present: bool, listed in some frame of the window.
        category: int64, contiguous; meaningless where not present.
        crowd: bool, present and crowd.
        order: int64, where the id is first listed: grows with the frame, then the place in its
            list.
        area: int64, pixels.
    """

    present: np.ndarray
    category: np.ndarray
    crowd: np.ndarray
    order: np.ndarray
    area: np.ndarray

    @classmethod
    def in_windows(
        cls,
        listing: Listing,
        ids: np.ndarray,
        pixels: np.ndarray,
        windows: Windows,
        *,
        area: str = "pixels",
        duplicate_ids: str = "merge",
    ) -> Tubes:
        """
        Args:
            listing: rows of T frames.
            ids: int64 [X], sorted; all ids of the listing are among them.
            pixels: int64 [T, X], painted pixels per frame.
            windows: the W windows.
            area, duplicate_ids: as in ``MatchingRules``.
        """
        column = np.searchsorted(ids, listing.ids)
        rows = np.arange(len(listing.ids))
        where = (listing.frames, column)
        # The first and the last row that lists each id in each frame, [T, X]. Writing the rows in
        # order would not do: NumPy promises no order for repeated cells.
        first_row, last_row = np.full(pixels.shape, len(rows)), np.full(pixels.shape, -1)
        np.minimum.at(first_row, where, rows)
        np.maximum.at(last_row, where, rows)

        if area == "listed":
            stated = np.where(listing.areas < 0, pixels[where], listing.areas)
            if duplicate_ids == "last":
                stated = np.where(last_row[where] == rows, stated, 0)
            pixels = np.zeros_like(pixels)
            np.add.at(pixels, where, stated)
        area_in_windows = windows.sum(pixels)
        if len(rows) == 0:
            nothing = np.zeros(area_in_windows.shape, np.int64)
            return cls(nothing > 0, nothing, nothing > 0, nothing, area_in_windows)

        # The first frame at or after t that lists the id; T where there is none.
        upcoming = np.where(last_row >= 0, np.arange(windows.frames)[:, None], windows.frames)
        upcoming = np.minimum.accumulate(upcoming[::-1], axis=0)[::-1]
        first = upcoming[windows.starts]  # [W, X]
        present = first < windows.starts[:, None] + windows.length
        cell = (np.minimum(first, windows.frames - 1), np.arange(len(ids)))
        row = last_row[cell] if duplicate_ids == "last" else first_row[cell] % len(rows)
        return cls(
            present=present,
            category=listing.categories[row],
            crowd=present & listing.crowd[row],
            order=first_row[cell],  # rows are in the order of time, then of listing
            area=area_in_windows,
        )

    def last_listed_crowds(self) -> np.ndarray:
        """bool [W, X]: of the crowd tubes, per window and class, the one that is listed last."""
        kept = np.zeros_like(self.crowd)
        for window in np.flatnonzero(self.crowd.any(axis=1)):
            tubes = np.flatnonzero(self.crowd[window])
            tubes = tubes[np.argsort(self.order[window, tubes])]
            kept[window, list(dict(zip(self.category[window, tubes], tubes)).values())] = True
        return kept
