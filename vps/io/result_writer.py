"""What all writers of results have in common: a video at a time, a frame at a time, whole or not
at all.

``vps.io.results.open_result_writer`` makes the writer of a form. Nothing here grows with the length
of a video, and several processes may write other videos of one folder at the same time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath

from vps.structures import MAX_ID, InputError, LabelRuns, PanopticFrame


class ResultWriter(ABC):
    """Writes the results of videos into a folder.

    ::

        writer = open_result_writer("vipseg", "results", categories)
        with writer.video("street") as video:
            for frame in predictor("street.mp4"):
                video.write(frame)
        writer.finish()

    Attributes:
        folder: where the results are written; made when missing. Videos that are there already are
            kept until one of the same name is complete.
    """

    folder: Path

    @abstractmethod
    def video(
        self, video_id: str, *, frame_ids: Collection[str] | None = None
    ) -> AbstractContextManager[VideoResultWriter]:
        """Write one video; nothing of it appears unless the block ends without an error.

        Args:
            video_id: its name, which may have folders in it.
            frame_ids: the frames to write, others are passed over; None: all.

        Raises:
            InputError: the name cannot be a folder's, or no frame was written.
        """

    @abstractmethod
    def is_written(self, video_id: str) -> bool:
        """Whether the video is complete and waits for ``finish()``."""

    @abstractmethod
    def finish(self, video_ids: Sequence[str] | None = None) -> Path:
        """Complete the results once all videos are written; called by one process.

        Args:
            video_ids: the videos of the results, in this order; None takes all that were written,
                by name. (VIPSeg's and Cityscapes-VPS's servers match by position: give them in the
                order of the ground truth.)

        Returns:
            The path of the JSON, or of the folder where the form has none.

        Raises:
            InputError: one of ``video_ids`` was not written.
        """


class VideoResultWriter(ABC):
    """Writes the frames of one video; made by ``ResultWriter.video()``.

    Attributes:
        count: frames written so far.
    """

    def __init__(
        self, video_id: str, folder: Path, *, frame_ids: Collection[str] | None = None
    ) -> None:
        self.video_id = video_id
        self.count = 0
        self._folder = folder
        self._wanted = None if frame_ids is None else frozenset(frame_ids)
        self._shape: tuple[int, ...] | None = None

    def write(self, frame: PanopticFrame) -> None:
        """Write one frame, unless it is none of those to write.

        Segments without a pixel are left out.

        Raises:
            InputError: a pixel's id has no segment, or the frame's name was used before, or its
                size is another than that of the frames before it.
        """
        check_name(frame.frame_id, "frame", inner=False)
        if self._wanted is not None and frame.frame_id not in self._wanted:
            return
        where = f"frame {frame.frame_id} of video {self.video_id}"
        self._shape = self._shape or frame.ids.shape
        if frame.ids.shape != self._shape:
            raise InputError(f"expected {where} to be {self._shape}, got {frame.ids.shape}")
        path = self._folder / f"{frame.frame_id}.png"
        if path.exists():
            raise InputError(f"{where} was written twice; frame names must be unique")
        self._save(path, frame, _count_pixels(frame, where), where)
        self.count += 1

    @abstractmethod
    def _save(self, path: Path, frame: PanopticFrame, areas: dict[int, int], where: str) -> None:
        """Write the files of a frame. ``areas``: {segment id: pixels} of what can be seen of it."""


def _count_pixels(frame: PanopticFrame, where: str) -> dict[int, int]:
    """{segment id: pixels} without void.

    Raises:
        InputError: an id has no segment.
    """
    areas = {}
    for segment_id, area in zip(*LabelRuns.from_map(frame.ids).count_ids()):
        if segment_id == 0:
            continue
        if segment_id not in frame.segments or not 0 < segment_id <= MAX_ID:
            raise InputError(
                f"expected a segment in 1..{MAX_ID} for every id of {where}, got pixels of id "
                f"{segment_id}, which its segments do not list"
            )
        areas[int(segment_id)] = int(area)
    return areas


def check_name(name: str, what: str, *, inner: bool = True) -> None:
    """Refuse names that would leave the folder (or, without ``inner``, need one of their own)."""
    parts = PurePosixPath(name).parts
    good = bool(parts) and not name.startswith("/") and ".." not in parts and "\\" not in name
    if not good or (not inner and len(parts) > 1):
        raise InputError(f"expected a {what} name that can be a file name, got {name!r}")


def check_not_empty(writer: VideoResultWriter) -> None:
    """Refuse a video of no frame."""
    if writer.count == 0:
        raise InputError(f"expected at least one frame in video {writer.video_id}, got none")


def missing_videos_error(folder: Path, videos: Sequence[str], missing: Sequence[str]) -> InputError:
    """The error when ``finish()`` is asked for videos that were not written."""
    return InputError(
        f"expected results of {len(videos)} videos in {folder}, but those of "
        f"{', '.join(missing[:5])} are missing ({len(missing)} in all)"
    )
