"""The frame tables of one video, stacked over time.

Nothing here is as large as a frame: every array has one entry per pair of ids that meet in a frame,
or per listed segment. The arrays are in the order of time, so that a stretch of frames is a slice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from vps.metrics.frame_table import FrameTable, SegmentList
from vps.structures import InputError


@dataclass(frozen=True, eq=False)
class Listing:
    """What one side lists over all frames of a video: rows in the order of time, then of listing.

    Attributes:
        frames: int64 [S], index of the frame.
        ids, categories, areas: int64 [S]; crowd: bool [S]; as in ``SegmentList``.
    """

    frames: np.ndarray
    ids: np.ndarray
    categories: np.ndarray
    crowd: np.ndarray
    areas: np.ndarray

    @classmethod
    def from_segment_lists(cls, lists: list[SegmentList]) -> Listing:
        """Stack the lists of all frames."""
        return cls(
            frames=np.repeat(np.arange(len(lists)), [len(one.ids) for one in lists]),
            ids=_concatenate([one.ids for one in lists], np.int64),
            categories=_concatenate([one.categories for one in lists], np.int64),
            crowd=_concatenate([one.crowd for one in lists], bool),
            areas=_concatenate([one.areas for one in lists], np.int64),
        )

    def between(self, first: int, last: int) -> Listing:
        """The rows of frames first..last-1, with frames counted from ``first``."""
        rows = slice(*np.searchsorted(self.frames, [first, last]))
        return Listing(
            self.frames[rows] - first,
            self.ids[rows],
            self.categories[rows],
            self.crowd[rows],
            self.areas[rows],
        )

    def find(self, frames: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """The last row int64 [N] that lists each id in its frame; -1 where no row does."""
        if len(self.ids) == 0:
            return np.full(len(ids), -1)
        keys = (self.frames << 24) | self.ids
        order = np.argsort(keys, kind="stable")
        wanted = (frames << 24) | ids
        place = np.searchsorted(keys[order], wanted, side="right") - 1
        rows = order[np.maximum(place, 0)]
        return np.where(keys[rows] == wanted, rows, -1)


@dataclass(frozen=True, eq=False)
class VideoTables:
    """All that the panoptic metrics need to know of one video.

    Attributes:
        video_id: name of the video, unique within an evaluation.
        frame_ids: names of the frames that carry ground truth, in the order of time.
        frames, gt_ids, pred_ids, pixels: int64 [N], one entry per pair of ids that meet in a frame.
        gt, pred: the segments that each side lists.
    """

    video_id: str
    frame_ids: tuple[str, ...]
    frames: np.ndarray
    gt_ids: np.ndarray
    pred_ids: np.ndarray
    pixels: np.ndarray
    gt: Listing
    pred: Listing

    @classmethod
    def from_frames(cls, video_id: str, tables: Iterable[FrameTable]) -> VideoTables:
        """Stack the tables of a video's labelled frames, given in the order of time."""
        tables = list(tables)
        return cls(
            video_id=video_id,
            frame_ids=tuple(table.frame_id for table in tables),
            frames=np.repeat(np.arange(len(tables)), [len(table.pixels) for table in tables]),
            gt_ids=_concatenate([table.gt_ids for table in tables], np.int64),
            pred_ids=_concatenate([table.pred_ids for table in tables], np.int64),
            pixels=_concatenate([table.pixels for table in tables], np.int64),
            gt=Listing.from_segment_lists([table.gt_segments for table in tables]),
            pred=Listing.from_segment_lists([table.pred_segments for table in tables]),
        )

    def __len__(self) -> int:
        return len(self.frame_ids)

    @cached_property
    def pairs_that_meet(self) -> tuple[np.ndarray, np.ndarray]:
        """Distinct pairs as keys int64 [M] (ground truth << 24 | prediction), sorted, and, for
        every entry of the tables, the index of its pair. Found once, for all windows.
        """
        return np.unique((self.gt_ids << 24) | self.pred_ids, return_inverse=True)

    def between(self, first: int, last: int) -> VideoTables:
        """The video of frames first..last-1."""
        if first <= 0 and last >= len(self):
            return self
        rows = slice(*np.searchsorted(self.frames, [first, last]))
        return VideoTables(
            self.video_id,
            self.frame_ids[first:last],
            self.frames[rows] - first,
            self.gt_ids[rows],
            self.pred_ids[rows],
            self.pixels[rows],
            self.gt.between(first, last),
            self.pred.between(first, last),
        )

    def split_by_class(self) -> VideoTables:
        """The same video with new ids 1, 2, ... so that an id that changes its class becomes two.

        Of an id that is listed twice in a frame the last row counts. Pixels of ids that nobody
        lists become void.
        """
        gt, gt_ids = _split_listing(self.gt, self.frames, self.gt_ids)
        pred, pred_ids = _split_listing(self.pred, self.frames, self.pred_ids)
        return replace(self, gt=gt, pred=pred, gt_ids=gt_ids, pred_ids=pred_ids)

    def check_categories(self, num_categories: int) -> None:
        """Raise InputError when a listed segment has a category outside 0..num_categories-1."""
        for side, listing in (("ground truth", self.gt), ("prediction", self.pred)):
            unknown = (listing.categories < 0) | (listing.categories >= num_categories)
            if unknown.any():
                row = int(np.flatnonzero(unknown)[0])
                raise InputError(
                    f"expected contiguous categories in 0..{num_categories - 1}, got category "
                    f"{listing.categories[row]} for segment {listing.ids[row]} in the {side} of "
                    f"frame {self.frame_ids[listing.frames[row]]} of video {self.video_id}"
                )


def _split_listing(
    listing: Listing, frames: np.ndarray, ids: np.ndarray
) -> tuple[Listing, np.ndarray]:
    kept = np.unique(listing.find(listing.frames, listing.ids))  # the last of each (frame, id)
    listing = Listing(
        listing.frames[kept],
        listing.ids[kept],
        listing.categories[kept],
        listing.crowd[kept],
        listing.areas[kept],
    )
    both = np.stack([listing.ids, listing.categories], axis=1)  # [S, 2]
    _, tubes = np.unique(both, axis=0, return_inverse=True)
    tubes = tubes.reshape(-1) + 1  # NumPy 2.0 gave the inverse a second axis
    rows = listing.find(frames, ids)
    new_ids = np.zeros(len(ids), np.int64)
    new_ids[rows >= 0] = tubes[rows[rows >= 0]]
    return replace(listing, ids=tubes), new_ids


def _concatenate(arrays: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.zeros(0, dtype), *arrays])
