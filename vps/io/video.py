"""Write frames as an H.264 video that every browser plays.

Browsers want yuv420p, even sides and the index in front of the pictures (``faststart``). Frames are
encoded as they come, so memory does not grow with the length, and the file takes its name only
when it is whole.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from vps.structures import InputError

_CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
_BT709 = 1  # the number of ITU-R BT.709 in every colour field of H.264


class VideoWriter:
    """Context manager that encodes uint8 [H, W, 3] RGB frames into a video file.

    ::

        with VideoWriter("out.mp4", fps=25) as writer:
            for image in images:
                writer.write(image)

    The file appears at the end of the block, complete; after an error nothing is left, and an older
    file of that name stays as it was. An odd side gets one more row or column, a copy of the last.

    Attributes:
        count: frames written so far.
    """

    def __init__(
        self, path: str | os.PathLike, *, fps: float | Fraction, codec: str = "h264", crf: int = 20
    ) -> None:
        """
        Args:
            path: .mp4, .m4v, .mov or .mkv; its folder is made when missing.
            fps: frames per second, > 0.
            codec: name of an FFmpeg encoder.
            crf: constant rate factor of x264, 0 (lossless) .. 51; 18 is visually clean.

        Raises:
            InputError: the name or the rate cannot be used.
        """
        self.path = Path(path)
        self.count = 0
        self._codec = codec
        self._crf = crf
        if self.path.suffix.lower() not in _CONTAINERS:
            raise InputError(
                f"expected an output video named {', '.join(sorted(_CONTAINERS))}, got {path}"
            )
        if self.path.is_dir():
            raise InputError(f"expected a file name for the output video, got the folder {path}")
        if not 0 < float(fps) <= 1000:  # also refuses NaN
            raise InputError(f"expected between 0 and 1000 frames per second, got {fps}")
        self._rate = Fraction(fps).limit_denominator(1001)  # 29.97... becomes 30000/1001
        self._temporary: str | None = None
        self._container: av.container.OutputContainer | None = None
        self._stream: av.VideoStream | None = None
        self._shape: tuple[int, ...] | None = None

    def __enter__(self) -> VideoWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, self._temporary = tempfile.mkstemp(
            prefix=f".{self.path.name}.", suffix=".tmp", dir=self.path.parent
        )
        os.close(handle)
        suffix = self.path.suffix.lower()
        # By path, not by file object: faststart reopens the file to move the index to its front.
        self._container = av.open(
            self._temporary,
            mode="w",
            format=_CONTAINERS[suffix],
            options={} if suffix == ".mkv" else {"movflags": "+faststart"},
        )
        return self

    def write(self, image: np.ndarray) -> None:
        """Encode one frame, uint8 [H, W, 3], RGB; all frames have the size of the first."""
        if self._container is None:
            raise RuntimeError("VideoWriter.write() belongs inside the with block")
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(
                f"expected a frame as uint8 [H, W, 3], got {image.dtype} {list(image.shape)}"
            )
        if self._shape is None:
            self._shape = image.shape
            self._add_stream(*image.shape[:2])
        if image.shape != self._shape:
            raise ValueError(
                f"expected a frame of {list(self._shape)} like the first of {self.path}, got "
                f"{list(image.shape)}"
            )
        frame = av.VideoFrame.from_ndarray(_pad_to_even(image), format="rgb24")
        frame = frame.reformat(
            format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        frame.pts = self.count
        frame.time_base = 1 / self._rate
        self._container.mux(self._stream.encode(frame))
        self.count += 1

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            with contextlib.suppress(av.FFmpegError):
                self._container.close()
            self._container = self._stream = None
            with contextlib.suppress(FileNotFoundError):  # it was renamed
                os.unlink(self._temporary)

    def _finish(self) -> None:
        if self.count == 0:
            raise InputError(f"expected at least one frame for the video {self.path}, got none")
        self._container.mux(self._stream.encode(None))
        self._container.close()
        with open(self._temporary, "rb") as file:
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(self._temporary, 0o666 & ~umask)  # mkstemp makes files for their owner only
        os.replace(self._temporary, self.path)

    def _add_stream(self, height: int, width: int) -> None:
        options = {"crf": str(self._crf), "preset": "veryfast"}
        stream = self._container.add_stream(self._codec, rate=self._rate, options=options)
        stream.height, stream.width = height + height % 2, width + width % 2
        stream.pix_fmt = "yuv420p"
        # Untagged, players take BT.601 for small and BT.709 for large pictures, and colours shift.
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = ColorRange.MPEG
        self._stream = stream


def _pad_to_even(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return np.ascontiguousarray(image)
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
