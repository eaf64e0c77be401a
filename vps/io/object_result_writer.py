"""Masks of objects as VIPOSeg, DAVIS and YouTube-VOS want them: palette PNGs and nothing else.

::

    <folder>/<video_id>/<frame_id>.png     value = number of the object, 0 = background

The numbers are those by which the objects were given, the size is that of the video, the name that
of the frame, and the first frame, whose masks are given, is among them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from vps.io.atomic import atomic_folder
from vps.io.index_png import MAX_OBJECT, write_index_png
from vps.io.result_writer import (
    ResultWriter,
    VideoResultWriter,
    check_name,
    check_not_empty,
    missing_videos_error,
)
from vps.structures import InputError, PanopticFrame


class ObjectResultWriter(ResultWriter):
    """Write masks of objects into a folder; see ``ResultWriter``."""

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)

    @contextlib.contextmanager
    def video(
        self, video_id: str, *, frame_ids: Collection[str] | None = None
    ) -> Iterator[VideoResultWriter]:
        """See ``ResultWriter``."""
        check_name(video_id, "video")
        made = [path for path in (self.folder, *self.folder.parents) if not path.exists()]
        try:
            with atomic_folder(self.folder / video_id) as temporary:
                writer = _ObjectVideoWriter(video_id, temporary, frame_ids=frame_ids)
                yield writer
                check_not_empty(writer)
        except BaseException:
            for empty in made:
                with contextlib.suppress(OSError):  # not empty: it holds other videos
                    empty.rmdir()
            raise

    def is_written(self, video_id: str) -> bool:
        """See ``ResultWriter``."""
        return (self.folder / video_id).is_dir()

    def finish(self, video_ids: Sequence[str] | None = None) -> Path:
        """Nothing is left to write; see that all of ``video_ids`` are there."""
        if missing := [name for name in video_ids or () if not self.is_written(name)]:
            raise missing_videos_error(self.folder, video_ids, missing)
        return self.folder


class _ObjectVideoWriter(VideoResultWriter):
    """A palette PNG per frame."""

    def _save(self, path: Path, frame: PanopticFrame, areas: dict[int, int], where: str) -> None:
        if max(areas, default=0) > MAX_OBJECT:
            raise InputError(
                f"expected objects 1..{MAX_OBJECT} in {where}, which is what a palette PNG can "
                f"hold, got object {max(areas)}; write panoptic results in another form"
            )
        write_index_png(path, frame.ids)
