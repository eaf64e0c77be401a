"""Panoptic PNGs by FFmpeg: the ids that Pillow finds, or nothing."""

from __future__ import annotations

import numpy as np
import pytest
from png_maker import chunk, make_png

from vps.io import read_label_map, read_panoptic_png
from vps.io.png_ids import decode_plain_ids, read_plain_ids
from vps.io.png_runs import PALETTE, RGB
from vps.structures import InputError, rgb_to_ids

# A row of 128 pixels takes a whole number of FFmpeg's blocks, so nothing lies behind the last.
SHAPES = [(1, 1), (3, 5), (40, 1), (37, 61), (5, 128), (64, 1280)]


def noise(shape: tuple[int, int], channels: int = 3) -> np.ndarray:
    return np.random.default_rng(shape[1]).integers(0, 256, (*shape, channels), dtype=np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("filters", [[0], [1], [2], [3], [4], [4, 3, 2, 1, 0]])
def test_every_filter(shape, filters):
    colors = noise(shape)
    ids = decode_plain_ids(make_png(colors, RGB, filters=filters))
    assert ids.dtype == np.int32 and ids.flags.c_contiguous and ids.flags.writeable
    np.testing.assert_array_equal(ids, rgb_to_ids(colors))


GOOD = make_png(noise((6, 10)), RGB)
IDAT = GOOD.index(b"IDAT")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(GOOD[:-20], id="truncated"),
        pytest.param(GOOD[: IDAT + 9] + b"\x07" + GOOD[IDAT + 10 :], id="a wrong checksum"),
        pytest.param(make_png(noise((6, 10)), RGB, stream=b"x" * 30), id="no zlib stream"),
        pytest.param(make_png(noise((6, 10), 1), PALETTE), id="a palette"),
        pytest.param(make_png(noise((6, 10), 4), 6), id="alpha"),
        pytest.param(make_png(noise((6, 10)), RGB, interlaced=True), id="interlaced"),
        pytest.param(make_png(noise((6, 10)), RGB, extra=chunk(b"tRNS", bytes(6))), id="tRNS"),
    ],
)
def test_all_else_is_left_to_the_ordinary_decoder(data):
    assert decode_plain_ids(data) is None


@pytest.mark.parametrize("numba", ["0", "1"])
def test_trusted_reading_finds_the_same(tmp_path, monkeypatch, numba):
    monkeypatch.setenv("VPS_NUMBA", numba)
    path, bad = tmp_path / "good.png", tmp_path / "bad.png"
    path.write_bytes(GOOD)
    bad.write_bytes(GOOD[: IDAT + 20])
    ids = read_label_map(path, trusted=True)
    np.testing.assert_array_equal(ids, read_panoptic_png(path))
    if numba == "0":
        np.testing.assert_array_equal(ids, read_plain_ids(path))
    for name, message in ((bad, "corrupt or truncated"), (tmp_path / "none.png", "does not exist")):
        with pytest.raises(InputError, match=message):
            read_label_map(name, trusted=True)
