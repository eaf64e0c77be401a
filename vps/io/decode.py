"""Video files and cameras, decoded with PyAV one frame at a time.

A source has what a FrameStream tells about itself (``name``, ``length``, ``fps``, ``height``,
``width``, ``truncated``) and ``read()``, a generator of frames that may be called again for another
pass. The first frame is decoded when a source is made, so that a file that cannot be played is
refused before anything else starts.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from vps.structures import Frame, InputError

_logger = logging.getLogger(__name__)

_CAMERA_TIMEOUT = 10.0  # seconds without a frame after which a camera counts as gone


class VideoFileSource:
    """The frames of a video file in any container and codec that FFmpeg reads.

    Frames are named by their number, "000000", "000001", ... and turned upright as the file asks
    (telephones film sideways and store the turn beside the pixels).

    Attributes:
        length: frames that the file announces; a guess from duration and rate for containers that
            store no count; None when nothing is known.
        truncated: set while reading, when the file ended early or held damaged packets.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self.name = self.path.stem
        self.truncated = False
        if not self.path.is_file():
            raise InputError(f"video {path} does not exist or is no file")
        if self.path.stat().st_size == 0:
            raise InputError(f"expected a video in {path}, got an empty file (0 bytes)")
        with self._open() as container:
            video = self._video(container)
            self.length, self._counted = _announced_length(container, video)
            rate = video.average_rate or video.guessed_rate
            self.fps = float(rate) if rate else None
            first = next(self._decode(container, video), None)
        if first is None:
            raise InputError(f"expected at least one frame in video {path}, got none")
        self.height, self.width = first.shape[:2]
        self.truncated = False

    def read(self) -> Iterator[Frame]:
        """Decode the frames in order.

        Raises:
            InputError: the size of the frames changes within the file.
        """
        self.truncated = False
        count = 0
        with self._open() as container:
            for image in self._decode(container, self._video(container)):
                if image.shape[:2] != (self.height, self.width):
                    raise InputError(
                        f"expected every frame of {self.path} to be {self.height}x{self.width} "
                        f"(height x width) like the first, got {image.shape[0]}x{image.shape[1]} "
                        f"at frame {count}"
                    )
                yield Frame(f"{count:06d}", image)
                count += 1
        if self.truncated:
            of = f" of {'' if self._counted else 'about '}{self.length}" if self.length else ""
            _logger.warning(
                "video %s is truncated or damaged: %d%s frames could be read", self.path, count, of
            )

    def _open(self) -> av.container.InputContainer:
        try:
            return av.open(str(self.path))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InputError(
                f"expected a video in {self.path}, got a file that cannot be opened as one "
                f"({_reason(error)}); if it is an .mp4, was it cut off before its end, where its "
                "index stands?"
            ) from error

    def _video(self, container: av.container.InputContainer) -> av.VideoStream:
        if not container.streams.video:
            raise InputError(f"expected a video stream in {self.path}, got none (sound only?)")
        video = container.streams.video[0]
        if video.codec_context is None:
            raise InputError(f"the codec of video {self.path} is unknown to this build of FFmpeg")
        video.thread_type = "AUTO"
        return video

    def _decode(
        self, container: av.container.InputContainer, video: av.VideoStream
    ) -> Iterator[np.ndarray]:
        """Yield uint8 [H, W, 3]; note damage in ``self.truncated`` instead of raising."""
        packets = container.demux(video)
        read = 0  # packets, not frames: an edit list may hide frames that are there
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:  # the container breaks off; what was decoded can still come out
                self.truncated, packet = True, None
            if packet is not None and packet.size:
                read += 1
                if packet.is_corrupt:  # cut short; decoded, it would be a half grey picture
                    self.truncated = True
                    continue
            try:
                frames = video.decode(packet if packet is not None and packet.size else None)
            except EOFError:  # was flushed before
                frames = []
            except av.FFmpegError:
                self.truncated = True
                frames = []
            for frame in frames:
                self.truncated |= bool(frame.is_corrupt)
                yield _to_rgb(frame)
            if packet is None or not packet.size:
                break
        if self.length is not None:
            # A count is exact; a guess from the duration is not, above all at a variable rate.
            slack = 0 if self._counted else max(2, self.length // 20)
            self.truncated |= read < self.length - slack


class CameraSource:
    """The frames of a camera, by its number, until the reader stops.

    Attributes:
        length: None, a camera does not end.
    """

    length = None
    truncated = False

    def __init__(self, index: int) -> None:
        self.name = f"camera{index}"
        self._index = index
        self._device, self._format = _camera_device(index)
        with self._open() as container:
            video = container.streams.video[0]
            self.fps = float(video.average_rate) if video.average_rate else None
            self.height, self.width = video.height, video.width

    def read(self) -> Iterator[Frame]:
        """Yield frames as they come; ends when the camera is unplugged."""
        with self._open() as container, contextlib.suppress(av.FFmpegError):
            for count, frame in enumerate(container.decode(video=0)):
                yield Frame(f"{count:06d}", _to_rgb(frame))

    def _open(self) -> av.container.InputContainer:
        try:
            return av.open(self._device, format=self._format, timeout=_CAMERA_TIMEOUT)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InputError(
                f"expected a camera with number {self._index} at {self._device}, got: "
                f"{_reason(error)}; is it plugged in, and not in use elsewhere?"
            ) from error


def _camera_device(index: int) -> tuple[str, str]:
    if index < 0:
        raise InputError(f"expected a camera number of 0 or more, got {index}")
    if sys.platform.startswith("linux"):
        return f"/dev/video{index}", "v4l2"
    if sys.platform == "darwin":
        return str(index), "avfoundation"
    raise InputError(f"cameras are supported on Linux and macOS, not on {sys.platform}")


def _announced_length(
    container: av.container.InputContainer, video: av.VideoStream
) -> tuple[int | None, bool]:
    """Number of frames by the file's own word, and whether that is a count (or a guess)."""
    if video.frames > 0:
        return video.frames, True
    rate = video.average_rate or video.guessed_rate
    if video.duration and video.time_base:
        seconds = float(video.duration * video.time_base)
    elif container.duration:
        seconds = container.duration / av.time_base
    else:
        return None, False
    guess = round(seconds * float(rate)) if rate else 0
    return (guess, False) if guess > 0 else (None, False)


def _to_rgb(frame: av.VideoFrame) -> np.ndarray:
    """Convert a decoded frame to uint8 [H, W, 3], upright."""
    image = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / 90) % 4  # counter-clockwise quarter turns that set it upright
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
