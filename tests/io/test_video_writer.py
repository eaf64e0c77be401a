"""The video writer: what is written can be read back, plays in browsers, and appears when whole."""

from __future__ import annotations

import av
import numpy as np
import pytest
from video_files import gradient

from vps.io.streams import open_stream
from vps.io.video import VideoWriter
from vps.structures import InputError


def write(path, images, **options):
    with VideoWriter(path, **{"fps": 25, **options}) as writer:
        for image in images:
            writer.write(image)
    return path


@pytest.mark.parametrize(
    "height, width", [(48, 64), (47, 63), (128, 192), (33, 50), (2, 2), (1, 1)]
)
def test_round_trip_at_any_size(tmp_path, height, width):
    images = [gradient(i, height, width) for i in range(12)]
    stream = open_stream(write(tmp_path / "v.mp4", images, crf=5))
    frames = [frame.image for frame in stream]
    assert len(frames) == 12 and stream.fps == 25
    for image, frame in zip(images, frames):
        assert frame.shape == (height + height % 2, width + width % 2, 3)
        if min(height, width) > 2:  # colours have half the resolution
            assert np.abs(frame[:height, :width].astype(int) - image).mean() < 4


def test_saturated_colours_survive(tmp_path):
    for color in [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)]:
        image = np.full((64, 64, 3), color, np.uint8)
        for frame in open_stream(write(tmp_path / "v.mp4", [image] * 3, crf=5)):
            assert np.abs(frame.image.astype(int) - image).max() <= 8, color


@pytest.mark.parametrize("name", ["v.mp4", "v.MP4", "v.mov", "v.m4v"])
def test_plays_in_browsers(tmp_path, name):
    path = write(tmp_path / "new" / name, [gradient(i) for i in range(5)], fps=29.97)
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        assert video.codec_context.name == "h264"
        assert video.codec_context.pix_fmt == "yuv420p"
        assert float(video.average_rate) == pytest.approx(29.97, abs=1e-3)
        assert video.codec_context.colorspace == 1  # BT.709, said and meant
    content = path.read_bytes()
    assert 0 < content.find(b"moov") < content.find(b"mdat")  # index first: faststart
    assert [p.name for p in path.parent.iterdir()] == [name]


def test_matroska_too(tmp_path):
    assert len(list(open_stream(write(tmp_path / "v.mkv", [gradient(0)] * 7)))) == 7


def test_error_in_the_block_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "v.mp4"
    path.write_bytes(b"an older film")
    with pytest.raises(RuntimeError, match="oh"), VideoWriter(path, fps=25) as writer:
        writer.write(gradient(0))
        raise RuntimeError("oh")
    assert path.read_bytes() == b"an older film"
    assert list(tmp_path.iterdir()) == [path]


def test_file_appears_only_when_whole(tmp_path):
    path = tmp_path / "v.mp4"
    with VideoWriter(path, fps=25) as writer:
        writer.write(gradient(0))
        assert not path.exists()
    assert path.exists() and writer.count == 1


# options or images, error, what it says
BAD_USES = [
    ({"name": "v.avi"}, [], InputError, "output video named"),
    ({"name": "v"}, [], InputError, "output video named"),
    ({"name": "folder.mp4"}, [], InputError, "got the folder"),
    ({"fps": 0}, [], InputError, "frames per second, got 0"),
    ({"fps": float("nan")}, [], InputError, "frames per second, got nan"),
    ({}, [], InputError, "at least one frame"),
    ({}, [gradient(0), gradient(0, 20, 20)], ValueError, r"\[48, 64, 3\] like the first"),
    ({}, [gradient(0)[..., 0]], ValueError, r"uint8 \[H, W, 3\]"),
    ({}, [gradient(0).astype(float)], ValueError, "got float64"),
]


@pytest.mark.parametrize("options, images, error, message", BAD_USES)
def test_bad_use_is_refused_and_leaves_nothing(tmp_path, options, images, error, message):
    (tmp_path / "folder.mp4").mkdir()
    options = dict(options)
    with pytest.raises(error, match=message):
        write(tmp_path / options.pop("name", "v.mp4"), images, **options)
    assert [p.name for p in tmp_path.iterdir()] == ["folder.mp4"]


def test_write_outside_the_block_is_refused(tmp_path):
    with pytest.raises(RuntimeError, match="with block"):
        VideoWriter(tmp_path / "v.mp4", fps=25).write(gradient(0))
