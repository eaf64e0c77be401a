"""Read one video of panoptic PNGs into its frame tables; one frame of either side at a time.

What JSON and PNG say of a frame is compared as it is read: sizes, ids both ways, and the areas of
the ground truth. The official programs trust the ground truth's JSON and so score a wrong one; here
that is an error unless the task is not ``strict``. Areas of predictions are recounted by every
program, so a wrong one is only noted.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from vps.evaluation.official.tasks import AREA, CATEGORY, CROWD, ID, FrameTask, PanopticTask
from vps.io.png_file import read_png_file
from vps.metrics import FrameTable, VideoTables
from vps.structures import InputError, Segment


@dataclass(frozen=True, eq=False)
class FrameRead:
    """A frame's table, the SHA-256 of its two PNGs, and remarks on what does not change a score."""

    table: FrameTable
    gt_digest: bytes
    pred_digest: bytes
    remarks: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class VideoRead:
    """A video's tables. The digests are of its PNGs in order, as hexadecimal text."""

    tables: VideoTables
    gt_digest: str
    pred_digest: str
    remarks: tuple[str, ...]


def read_video_tables(task: PanopticTask) -> VideoRead:
    """Read the PNGs of a video.

    Raises:
        InputError: a file is missing or damaged, or JSON and PNG disagree; names file and id.
    """
    tables, remarks = [], []
    gt_digest, pred_digest = hashlib.sha256(), hashlib.sha256()
    for frame in task.frames:
        read = read_frame_table(frame, task)
        tables.append(read.table)
        remarks += read.remarks
        gt_digest.update(read.gt_digest + frame.gt_segments.tobytes())
        pred_digest.update(read.pred_digest + frame.pred_segments.tobytes())
    return VideoRead(
        VideoTables.from_frames(task.video_id, tables),
        gt_digest.hexdigest(),
        pred_digest.hexdigest(),
        tuple(remarks),
    )


def read_frame_table(frame: FrameTask, task: PanopticTask) -> FrameRead:
    """Read the two PNGs of a frame and count their pairs of ids.

    Raises:
        InputError: as ``read_video_tables``.
    """
    truth = read_png_file(frame.gt_path)
    if frame.size is not None and truth.size != frame.size:
        raise InputError(
            f"expected a ground truth of {_text(frame.size)} (height x width, as {task.gt_json} "
            f"says), got {_text(truth.size)} in {frame.gt_path}"
        )
    prediction = read_png_file(frame.pred_path)
    if prediction.size != truth.size:
        raise InputError(
            f"expected a prediction of {_text(truth.size)} (height x width, the size of the ground "
            f"truth), got {_text(prediction.size)} in {frame.pred_path}; predictions are scored at "
            "the original resolution"
        )
    try:
        table = FrameTable.from_runs(
            truth.decode_runs(),
            _segments(frame.gt_segments),
            prediction.decode_runs(),
            _segments(frame.pred_segments),
            frame_id=frame.frame_id,
            video_id=task.video_id,
            strict_ground_truth=task.strict,
        )
    except InputError as error:
        if frame.gt_path in str(error) or frame.pred_path in str(error):
            raise
        side = "ground truth" if "ground truth of" in str(error) else "prediction"
        png, listed = (
            (frame.gt_path, task.gt_json)
            if side == "ground truth"
            else (frame.pred_path, task.pred_json)
        )
        raise InputError(f"{error} (PNG {png}, list {listed})") from error
    if task.strict:
        wrong = _wrong_area(table.gt_ids, table.pixels, frame.gt_segments)
        if wrong is not None:
            segment_id, stated, counted = wrong
            raise InputError(
                f"expected {stated} pixels of segment {segment_id} in {frame.gt_path}, the area "
                f"that {task.gt_json} states, got {counted}; --lenient scores such ground truth as "
                "the official programs do"
            )
    remarks = ()
    wrong = _wrong_area(table.pred_ids, table.pixels, frame.pred_segments)
    if wrong is not None:
        segment_id, stated, counted = wrong
        remarks = (
            f"{task.pred_json} states an area of {stated} for segment {segment_id} of "
            f"{frame.pred_path}, which has {counted} pixels; predicted areas are recounted",
        )
    return FrameRead(table, truth.digest, prediction.digest, remarks)


def _segments(table: np.ndarray) -> list[tuple[int, Segment]]:
    """Pairs (id, Segment); ``isthing`` is left out, as frame tables do not ask for it."""
    return [
        (
            row[ID],
            Segment(
                row[CATEGORY], False, 1.0, bool(row[CROWD]), row[AREA] if row[AREA] >= 0 else None
            ),
        )
        for row in table.tolist()
    ]


def _wrong_area(
    ids: np.ndarray, pixels: np.ndarray, segments: np.ndarray
) -> tuple[int, int, int] | None:
    """(id, stated, counted) of the first segment whose stated area is not its number of pixels."""
    for segment_id, stated in segments[:, [ID, AREA]].tolist():
        counted = int(pixels[ids == segment_id].sum())
        if stated >= 0 and stated != counted:
            return segment_id, stated, counted
    return None


def _text(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
