"""FrameStream: the frames of a video, one after the other, never all at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np


class Frame(NamedTuple):
    """One decoded frame: its name within the video and its pixels, uint8 [H, W, 3], RGB."""

    frame_id: str
    image: np.ndarray


@runtime_checkable
class FrameStream(Protocol):
    """A lazily decoded video. ``length`` and ``fps`` are None where the source does not tell."""

    name: str
    length: int | None
    fps: float | None

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None: ...
