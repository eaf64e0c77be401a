"""Open anything that holds frames as a FrameStream: a folder, a video file, a camera, a
VideoRecord.

Frames are decoded by a background thread, a few ahead of the consumer and never more, so that a
video of any length passes through bounded memory::

    with open_stream("street.mp4") as stream:
        for frame_id, image in stream:      # uint8 [H, W, 3], RGB
            ...
"""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from vps.io.images import read_image
from vps.io.prefetch import prefetch as read_ahead
from vps.structures import Frame, InputError, VideoRecord

_JPEG_SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif"}
_OTHER_SUFFIXES = {".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pnm"}
IMAGE_SUFFIXES = frozenset(_JPEG_SUFFIXES | _OTHER_SUFFIXES)  # compared in lower case


class FrameSource(Protocol):
    """What a stream reads from. ``read()`` starts another pass over the frames."""

    name: str
    length: int | None
    fps: float | None
    height: int
    width: int
    truncated: bool

    def read(self) -> Iterator[Frame]: ...


def open_stream(
    source: str | os.PathLike | int | VideoRecord, *, prefetch: int = 4
) -> PrefetchedStream:
    """Open the frames of ``source``; nothing but the first frame is decoded yet.

    Args:
        source: a folder of pictures (in natural order: frame2 before frame10), a video file, the
            number of a camera (as int or as text), or a VideoRecord.
        prefetch: most frames that are decoded before they are asked for.

    Raises:
        InputError: the source is missing, empty, or its first frame cannot be decoded. Errors of
            later frames are raised while iterating.
    """
    return PrefetchedStream(_find_source(source), prefetch=prefetch)


def _find_source(source: str | os.PathLike | int | VideoRecord) -> FrameSource:
    from vps.io.decode import CameraSource, VideoFileSource  # PyAV; not needed for pictures

    if isinstance(source, Mapping):
        return record_source(source)
    if isinstance(source, int):
        return CameraSource(source)
    path = Path(source)
    if path.is_dir():
        return folder_source(path)
    if not path.exists() and re.fullmatch(r"\d{1,3}", str(source)):
        return CameraSource(int(source))
    if not path.exists():
        raise InputError(
            f"expected a folder of frames, a video file or the number of a camera, got {source}, "
            "which does not exist"
        )
    if path.suffix.lower() in IMAGE_SUFFIXES:
        raise InputError(
            f"expected a video file or a folder of frames, got the single picture {source}; "
            "give the folder that holds it"
        )
    return VideoFileSource(path)


class PrefetchedStream:
    """A FrameStream over any source, with a reading thread per pass.

    Iterating starts a new pass from the first frame (and ends one that was under way). The thread
    ends when the pass is over, when its iterator is closed or dropped, and in ``close()``.

    Attributes:
        name: of the video, fit for a file name.
        length: frames in all as far as the source tells, else None.
        fps: frames per second, None for pictures.
        height, width: of every frame.
        truncated: True once a pass has found that the source ends before it should or is damaged;
            the frames that could be read were given.
    """

    def __init__(self, source: FrameSource, *, prefetch: int = 4) -> None:
        self._source = source
        self._prefetch = prefetch
        # Weak, so that a loop that is left by ``break`` takes its thread along.
        self._running: weakref.ref[Iterator[Frame]] | None = None
        self.name: str = source.name
        self.length: int | None = source.length
        self.fps: float | None = source.fps
        self.height: int = source.height
        self.width: int = source.width

    @property
    def truncated(self) -> bool:
        return self._source.truncated

    def __iter__(self) -> Iterator[Frame]:
        self.close()
        frames = read_ahead(self._source.read(), self._prefetch)
        self._running = weakref.ref(frames)
        return frames

    def close(self) -> None:
        """End the pass that is under way, if any, and its thread."""
        frames = self._running() if self._running is not None else None
        if frames is not None:
            frames.close()
        self._running = None

    def __enter__(self) -> PrefetchedStream:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


class PictureSource:
    """Frames that are picture files of one common size."""

    fps = None
    truncated = False

    def __init__(
        self,
        name: str,
        paths: Sequence[str | os.PathLike],
        frame_ids: Sequence[str],
        *,
        size: tuple[int, int] | None = None,
    ) -> None:
        """
        Args:
            size: height, width that every picture must have; None takes the first picture's.
        """
        self.name = name
        self.length = len(paths)
        self._paths = paths
        self._frame_ids = frame_ids
        self._stated = size is not None
        self.height, self.width = size or read_image(paths[0]).shape[:2]

    def read(self) -> Iterator[Frame]:
        """Decode the pictures in order.

        Raises:
            InputError: a picture is missing, corrupt or of another size; names the file.
        """
        for path, frame_id in zip(self._paths, self._frame_ids):
            image = read_image(path)
            if image.shape[:2] != (self.height, self.width):
                reason = "as the data set states" if self._stated else "as the first frame has"
                raise InputError(
                    f"expected {self.height}x{self.width} (height x width, {reason}), got "
                    f"{image.shape[0]}x{image.shape[1]} in {path}; are these frames of one video?"
                )
            yield Frame(frame_id, image)


def folder_source(folder: str | os.PathLike) -> PictureSource:
    """The pictures of a folder in natural order, named by their file names without suffix."""
    folder = Path(folder)
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    paths = [p for p in entries if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()]
    if not paths:
        inner = sorted(entry.name for entry in entries if entry.is_dir())
        hint = f"; did you mean its folder {inner[0]}?" if inner else ""
        raise InputError(
            f"expected frames ({' '.join(sorted(IMAGE_SUFFIXES))}) in folder {folder}, got "
            f"{len(entries)} entries and no picture among them{hint}"
        )
    paths.sort(key=lambda path: natural_key(path.name))
    by_id: dict[str, Path] = {}
    for path in paths:
        if path.stem in by_id:
            raise InputError(
                f"expected one picture per frame in {folder}, got {by_id[path.stem].name} and "
                f"{path.name}, which would both be frame {path.stem}"
            )
        by_id[path.stem] = path
    return PictureSource(folder.resolve().name or "frames", paths, list(by_id))


def record_source(record: VideoRecord) -> PictureSource:
    """The frames of a VideoRecord, named by its ``image_ids``."""
    if not record["file_names"]:
        raise InputError(f"expected at least one frame in video {record['video_id']}, got none")
    return PictureSource(
        record["video_id"],
        record["file_names"],
        record["image_ids"],
        size=(record["height"], record["width"]),
    )


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key under which numbers in names count as numbers: frame2 before frame10."""
    parts = re.findall(r"\d+|\D+", name)
    # The last field tells "7" from "07", so that the order never depends on the file system.
    return [(0, int(p), p) if p.isdigit() else (1, 0, p.casefold()) for p in parts]
