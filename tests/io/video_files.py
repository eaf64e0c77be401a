"""Small videos and folders of frames for the tests, with known content."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from PIL import Image

HEIGHT, WIDTH, FPS = 48, 64, 25


def gradient(index: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A smooth picture, uint8 [H, W, 3], whose mean blue value tells the frame."""
    rows, columns = np.mgrid[:height, :width]
    blue = np.full_like(rows, 20 + 3 * index)
    return np.stack([rows * 200 // height + 20, columns * 200 // width + 20, blue], -1).astype("u1")


def noisy(index: int) -> np.ndarray:
    """A gradient with grain, so that its video has some size, and the same mean blue value."""
    grain = np.random.default_rng(index).integers(-12, 13, (HEIGHT, WIDTH, 1))
    return (gradient(index) + grain - round(grain.mean())).clip(0, 255).astype("u1")


def write_video(
    path: Path, count: int, *, codec: str = "h264", gop: int = 5, **container_options: str
) -> Path:
    """Encode ``count`` gradients; independent of the VideoWriter under test."""
    with av.open(str(path), "w", options=container_options) as container:
        options = {"crf": "8"} if codec == "h264" else {}
        stream = container.add_stream(codec, rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.gop_size = gop
        if codec != "h264":
            stream.bit_rate = 4_000_000
        container.start_encoding()  # else a video of no frames would be no file
        for index in range(count):
            picture = av.VideoFrame.from_ndarray(noisy(index), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def cut(path: Path, share: float = 0.5) -> Path:
    """Copy the first part of a file."""
    content = path.read_bytes()
    shorter = path.with_name(f"cut_{path.name}")
    shorter.write_bytes(content[: int(len(content) * share)])
    return shorter


def write_frames(folder: Path, names: list[str]) -> Path:
    """Write gradient ``i`` under the i-th name; the suffix chooses the format."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, name in enumerate(names):
        Image.fromarray(gradient(index)).save(folder / name)
    return folder
