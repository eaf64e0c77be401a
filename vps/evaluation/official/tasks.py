"""What there is to score: one task per video, with the paths and tables of its frames.

A task is small (no pixel is in it), travels to a worker process, and knows how to fingerprint its
own input, so that a video that was read before need not be read again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# Columns of the tables of segments: int32 [S, 4], rows in the order of the JSON.
ID, CATEGORY, CROWD, AREA = range(4)
NO_AREA = -1


@dataclass(frozen=True, eq=False, slots=True)
class FrameTask:
    """One labelled frame and its prediction.

    Attributes:
        frame_id: name of the frame.
        gt_path, pred_path: RGB panoptic PNGs.
        gt_segments, pred_segments: int32 [S, 4]: id, contiguous category, crowd (0 or 1), area in
            pixels as the JSON states it (-1 where it does not); an id may stand there twice.
        size: (height, width) as the JSON of the ground truth states it, else None.
    """

    frame_id: str
    gt_path: str
    pred_path: str
    gt_segments: np.ndarray
    pred_segments: np.ndarray
    size: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class PanopticTask:
    """One video of panoptic labels.

    Attributes:
        video_id: name of the video, unique within the evaluation.
        frames: its labelled frames in the order of time.
        gt_json, pred_json: the files that the tables come from, for error messages.
        strict: refuse a ground truth whose JSON and PNG disagree; the official programs do not.
        problem: why the video cannot be scored, where that is known before reading it.
    """

    video_id: str
    frames: tuple[FrameTask, ...]
    gt_json: str = ""
    pred_json: str = ""
    strict: bool = True
    problem: str | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def fingerprint(self) -> str:
        """Hash of all that its frame tables depend on: the JSONs' tables, and the names, sizes and
        times of change of the PNGs (which are not read).
        """
        tables = (table for f in self.frames for table in (f.gt_segments, f.pred_segments))
        names = [self.video_id, str(self.strict)]
        names += [f"{frame.frame_id} {frame.size}" for frame in self.frames]
        paths = (path for f in self.frames for path in (f.gt_path, f.pred_path))
        return fingerprint(names, paths, tables)


@dataclass(frozen=True, eq=False)
class ObjectTask:
    """One video of object masks (video object segmentation): palette PNGs on both sides.

    Attributes:
        video_id: name of the video.
        frame_ids: its frames in the order of time.
        gt_paths: palette PNGs, one per frame.
        pred_paths: likewise; None for a frame that is not scored and has no prediction.
        reference_paths: {frame index: palette PNG of the masks that are given there}.
        references: {object number: index of the frame in which its mask is given}, where a table
            says so instead; None: neither does.
        object_classes: {object number: class}, None where the data set has none.
        settings: what decides the scores, as text.
        problem: why the video cannot be scored, where that is known before reading it.
    """

    video_id: str
    frame_ids: tuple[str, ...]
    gt_paths: tuple[str, ...]
    pred_paths: tuple[str | None, ...]
    reference_paths: dict[int, str] = field(default_factory=dict)
    references: dict[int, int] | None = None
    object_classes: dict[int, Any] | None = None
    settings: str = ""
    problem: str | None = None

    def __len__(self) -> int:
        return len(self.frame_ids)

    def fingerprint(self) -> str:
        """Hash of all that its scores depend on; the pictures are not read."""
        texts = [self.video_id, self.settings, *self.frame_ids]
        texts += [repr(self.reference_paths), repr(self.references), repr(self.object_classes)]
        paths = [*self.gt_paths, *self.reference_paths.values()]
        return fingerprint(texts, [*paths, *filter(None, self.pred_paths)])


def fingerprint(
    texts: Iterable[str], paths: Iterable[str], arrays: Iterable[np.ndarray] = ()
) -> str:
    """Hash texts, the contents of arrays, and name, size and time of change of files."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
    for path in paths:
        try:
            status = os.stat(path)
            told = f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0"
        except OSError:
            told = f"{path}\0missing\0"
        digest.update(told.encode("utf-8", "surrogatepass"))
    for array in arrays:
        digest.update(f"{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
