"""Streams: every kind of input, good and bad."""

from __future__ import annotations

import logging
import struct
import threading

import numpy as np
import pytest
from PIL import Image
from video_files import FPS, HEIGHT, WIDTH, cut, gradient, write_frames, write_video

from vps.io.streams import natural_key, open_stream
from vps.io.video import VideoWriter
from vps.structures import FrameStream, InputError


def record(paths, height=HEIGHT, width=WIDTH, **changes):
    names = [f"id{i}" for i in range(len(paths))]
    unlabelled = [None] * len(paths)
    return {
        "video_id": "clip",
        "height": height,
        "width": width,
        "length": len(paths),
        "file_names": [str(path) for path in paths],
        "image_ids": names,
        "labelled": [False] * len(paths),
        "pan_seg_file_names": unlabelled,
        "segments_infos": unlabelled,
        **changes,
    }


# file names in the folder, frame ids expected, remark
FOLDERS = [
    (["a.jpg", "b.JPG", "c.jpeg", "d.JPEG", "e.png", "f.bmp"], "a b c d e f", "all suffixes"),
    (["f1.png", "f2.png", "f10.png", "f9.png"], "f1 f2 f9 f10", "natural order"),
    (["0010.png", "0002.png", "1.png"], "1 0002 0010", "padded or not"),
    (["b2_1.png", "b10_0.png", "b2_0.png"], "b2_0 b2_1 b10_0", "several numbers"),
    (["x.webp", "y.tif", "z.ppm"], "x y z", "rarer formats"),
]


@pytest.mark.parametrize("names, expected, remark", FOLDERS, ids=[row[2] for row in FOLDERS])
def test_folder(tmp_path, names, expected, remark):
    folder = write_frames(tmp_path / "street", names)
    for other in ("notes.txt", ".hidden.png", "Thumbs.db"):
        (folder / other).write_bytes(b"no picture")
    (folder / "inner.png").mkdir()
    with open_stream(folder) as stream:
        assert isinstance(stream, FrameStream)
        assert (stream.name, stream.length, stream.fps) == ("street", len(names), None)
        assert (stream.height, stream.width) == (HEIGHT, WIDTH)
        frames = list(stream)
    assert [frame.frame_id for frame in frames] == expected.split()
    by_id = {name.split(".")[0]: index for index, name in enumerate(names)}
    for frame in frames:
        assert frame.image.dtype == np.uint8
        assert np.abs(frame.image.astype(int) - gradient(by_id[frame.frame_id])).mean() < 4


def test_natural_key_does_not_depend_on_the_order_of_the_disk():
    names = ["7.png", "07.png", "a.png", "A10.png", "a9.png"]
    assert sorted(names, key=natural_key) == sorted(names, key=natural_key)


@pytest.mark.parametrize(
    "name, codec",
    [
        ("v.mp4", "h264"),
        ("v.mkv", "h264"),
        ("v.avi", "mpeg4"),
        ("v.webm", "libvpx"),
        ("v.mov", "h264"),
    ],
)
def test_video_file_in_any_container(tmp_path, name, codec):
    with open_stream(write_video(tmp_path / name, 20, codec=codec)) as stream:
        assert (stream.name, stream.length, stream.fps) == ("v", 20, FPS)
        assert (stream.height, stream.width) == (HEIGHT, WIDTH)
        for _ in range(2):  # a second pass starts again
            frames = list(stream)
            assert [frame.frame_id for frame in frames] == [f"{i:06d}" for i in range(20)]
        assert not stream.truncated
    blue = np.array([frame.image[..., 2].mean() for frame in frames])
    assert np.abs(np.diff(blue) - 3).max() < 2.5  # every frame once, in order


def test_sideways_telephone_video_is_set_upright(tmp_path):
    image = np.zeros((64, 96, 3), np.uint8)
    image[:32, :48] = 255
    path = tmp_path / "v.mp4"
    with VideoWriter(path, fps=10) as writer:
        for _ in range(3):
            writer.write(image)
    content = bytearray(path.read_bytes())
    matrix = content.find(b"tkhd") + 44  # ISO 14496-12, 8.3.2: a quarter turn clockwise
    turned = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 64 << 16, 0, 1 << 30)
    content[matrix : matrix + 36] = turned
    path.write_bytes(content)
    stream = open_stream(path)
    assert (stream.height, stream.width) == (96, 64)
    for frame in stream:
        assert np.abs(frame.image.astype(int) - np.rot90(image, -1)).mean() < 3


def test_record_gives_its_image_ids(tmp_path):
    folder = write_frames(tmp_path / "x", ["b.png", "a.png"])
    stream = open_stream(record([folder / "b.png", folder / "a.png"]))  # its order, not the names'
    assert (stream.name, stream.length) == ("clip", 2)
    for index, frame in enumerate(stream):
        assert frame.frame_id == f"id{index}"
        np.testing.assert_array_equal(frame.image, gradient(index))


def corrupt_folder(folder):
    write_frames(folder, ["1.png", "2.png", "3.png"])
    content = (folder / "2.png").read_bytes()
    (folder / "2.png").write_bytes(content[: len(content) // 2])
    return folder


def mixed_folder(folder):
    write_frames(folder, ["1.png", "2.png"])
    Image.fromarray(gradient(0, 20, 30)).save(folder / "2.png")
    return folder


def text_file(path, text=b"not a video, only words"):
    path.write_bytes(text)
    return path


def folder_of_folders(folder):
    write_frames(folder / "scene1", ["1.png"])
    return folder


# how the input is made, what the error says, remark
BAD_INPUTS = [
    (lambda p: p / "none.mp4", "none.mp4.*does not exist", "missing"),
    (lambda p: text_file(p / "a.mp4", b""), "a.mp4, got an empty file", "zero bytes"),
    (lambda p: text_file(p / "a.mp4"), "expected a video in .*a.mp4", "no video"),
    (
        lambda p: write_video(p / "a.mp4", 0),
        "expected a video stream in .*a.mp4",
        "video without frames",
    ),
    (lambda p: cut(write_video(p / "a.mp4", 40)), "cut_a.mp4.*cut off", "index at the cut off end"),
    (lambda p: write_frames(p / "empty", []), "in folder .*empty, got 0 entries", "empty folder"),
    (lambda p: text_file(p / "n.txt").parent, "1 entries and no picture", "no picture in folder"),
    (lambda p: folder_of_folders(p / "top"), "did you mean its folder scene1", "one level up"),
    (lambda p: corrupt_folder(p / "f"), "2.png is corrupt or truncated", "corrupt frame"),
    (lambda p: mixed_folder(p / "f"), "48x64 .* got 20x30 in .*2.png", "sizes differ"),
    (lambda p: write_frames(p / "f", ["1.png", "1.jpg"]), "both be frame 1", "name twice"),
    (lambda p: write_frames(p / "f", ["1.png"]) / "1.png", "single picture", "one picture"),
    (lambda p: record([]), "at least one frame in video clip", "empty record"),
    (lambda p: record([p / "gone.png"]), "gone.png does not exist", "record of a missing file"),
    (
        lambda p: record([write_frames(p / "f", ["1.png"]) / "1.png"], height=99),
        "expected 99x64 .*data set states.* got 48x64 in .*1.png",
        "record of another size",
    ),
    (lambda p: 97, "camera with number 97", "no such camera"),
    (lambda p: "97", "camera with number 97", "no such camera, as text"),
    (lambda p: -1, "camera number of 0 or more", "negative camera"),
]


@pytest.mark.parametrize("make, message, remark", BAD_INPUTS, ids=[row[2] for row in BAD_INPUTS])
def test_bad_input_is_one_clear_error(tmp_path, make, message, remark):
    source = make(tmp_path)
    with pytest.raises(InputError, match=message) as caught, open_stream(source) as stream:
        list(stream)
    assert "\n" not in str(caught.value)
    assert not [t for t in threading.enumerate() if t.name == "vps-prefetch"]


def test_frames_before_a_corrupt_one_still_come(tmp_path):
    frames = iter(open_stream(corrupt_folder(tmp_path / "f")))
    assert next(frames).frame_id == "1"
    with pytest.raises(InputError, match=r"2\.png"):
        next(frames)


@pytest.mark.parametrize(
    "name, options",
    [
        ("front.mp4", {"movflags": "+faststart"}),
        ("pieces.mp4", {"movflags": "frag_keyframe+empty_moov"}),
        ("v.mkv", {}),
        ("v.avi", {}),
    ],
)
def test_video_that_is_cut_off_gives_what_can_be_read_and_warns(tmp_path, caplog, name, options):
    path = cut(write_video(tmp_path / name, 60, **options))
    stream = open_stream(path)
    assert not stream.truncated  # not known before it was read
    with caplog.at_level(logging.WARNING, logger="vps"):
        frames = list(stream)
    assert 5 < len(frames) < 50 and stream.truncated
    blue = np.array([frame.image[..., 2].mean() for frame in frames])
    assert np.abs(np.diff(blue) - 3).max() < 2.5  # whole pictures only
    (warning,) = caplog.records
    assert path.name in warning.getMessage() and f"{len(frames)} of" in warning.getMessage()


def test_damage_in_the_midst_is_skipped_and_noted(tmp_path):
    path = write_video(tmp_path / "v.mp4", 60)
    content = bytearray(path.read_bytes())
    start, stop = len(content) // 3, len(content) // 2
    content[start:stop] = bytes(stop - start)
    path.write_bytes(content)
    stream = open_stream(path)
    assert 30 < len(list(stream)) < 60 and stream.truncated


def test_leaving_a_stream_early_ends_its_thread(tmp_path):
    path = write_video(tmp_path / "v.mp4", 40)
    for leave in ("break", "close", "with"):
        stream = open_stream(path, prefetch=2)
        frames = iter(stream)
        next(frames)
        assert [t for t in threading.enumerate() if t.name == "vps-prefetch"]
        if leave == "break":
            del frames  # the stream itself lives on
        elif leave == "close":
            stream.close()
        else:
            with stream:
                pass
        assert not [t for t in threading.enumerate() if t.name == "vps-prefetch"], leave


def test_a_new_pass_ends_the_one_under_way(tmp_path):
    stream = open_stream(write_frames(tmp_path / "f", [f"{i}.png" for i in range(9)]))
    first = iter(stream)
    next(first)
    assert len(list(stream)) == 9
    assert next(first, None) is None
