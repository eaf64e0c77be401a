"""Reading PNGs as runs: the same pixels and the same complaints as the ordinary decoder's."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from PIL import Image
from png_maker import SIGNATURE, chunk, filter_rows, make_png

from vps.io import png_runs, read_panoptic_png, read_panoptic_runs
from vps.io.png_runs import GRAY, PALETTE, RGB, decode_runs
from vps.structures import InputError, rgb_to_ids

pytest.importorskip("numba")


@pytest.fixture(autouse=True)
def _with_numba(monkeypatch):
    monkeypatch.delenv("VPS_NUMBA", raising=False)


@pytest.fixture(params=["libdeflate", "zlib"])
def inflater(request, monkeypatch) -> str:
    """Each way to inflate in turn."""
    if request.param == "libdeflate":
        pytest.importorskip("deflate")
        assert png_runs._inflater() is not png_runs._inflate_with_zlib
    else:
        monkeypatch.setattr(png_runs, "_inflater", lambda: png_runs._inflate_with_zlib)
    return request.param


def picture(kind: str, shape: tuple[int, int], channels: int) -> np.ndarray:
    """uint8 [H, W, C]."""
    rng = np.random.default_rng(len(kind) + shape[1])
    height, width = shape
    if kind == "noise":
        return rng.integers(0, 256, (*shape, channels), dtype=np.uint8)
    if kind == "sparse noise":  # mostly flat, with lonely pixels
        flat = np.full((*shape, channels), 200, np.uint8)
        lonely = rng.random(shape) < 0.05
        flat[lonely] = rng.integers(0, 256, (int(lonely.sum()), channels))
        return flat
    if kind == "ramp":
        values = np.arange(height)[:, None, None] * 3 + np.arange(width)[None, :, None] * 7
        return (values * np.arange(1, channels + 1) % 256).astype(np.uint8)
    if kind == "constant":
        return np.full((*shape, channels), 77, np.uint8)
    assert kind == "mask"
    y, x = np.mgrid[:height, :width]
    regions = np.zeros(shape, int)
    for number in range(1, 9):
        cy, cx, radius = rng.uniform(0, [height, width, 0.4 * (height + width)])
        regions[(y - cy) ** 2 + (x - cx) ** 2 < (radius / 2) ** 2] = number
    return rng.integers(0, 256, (9, channels), dtype=np.uint8)[regions]


def pillow_labels(data: bytes) -> np.ndarray:
    """What the ordinary decoder makes of a file: ids of an RGB picture, else the stored values."""
    with Image.open(io.BytesIO(data)) as image:
        pixels = np.asarray(image)
    return rgb_to_ids(pixels) if pixels.ndim == 3 else pixels


KINDS = ["mask", "noise", "sparse noise", "ramp", "constant"]
SHAPES = [(1, 1), (1, 40), (40, 1), (2, 3), (37, 61), (64, 128)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("colour_type", [GRAY, RGB, PALETTE])
@pytest.mark.parametrize("filters", [[0], [1], [2], [3], [4], [4, 3, 2, 1, 0], [2, 4, 0, 4, 1, 3]])
def test_every_filter(kind, shape, colour_type, filters):
    samples = picture(kind, shape, 3 if colour_type == RGB else 1)
    data = make_png(samples, colour_type, filters=filters)
    runs = decode_runs(data, (colour_type,))
    expected = rgb_to_ids(samples) if colour_type == RGB else samples[..., 0]
    np.testing.assert_array_equal(runs.to_map(), expected)
    np.testing.assert_array_equal(pillow_labels(data), expected)  # our maker of PNGs is right
    assert runs.starts.dtype == np.int64 and runs.ids.dtype == np.int32
    changes = (np.diff(expected.astype(int), axis=1) != 0).sum() + shape[0]
    assert len(runs.starts) == changes  # no run is cut needlessly


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mode", ["RGB", "P", "L"])
@pytest.mark.parametrize("options", [{}, {"compress_level": 1}, {"optimize": True}])
def test_as_pillow_writes(kind, mode, options, inflater):
    samples = picture(kind, (90, 160), 3 if mode == "RGB" else 1)
    image = Image.fromarray(samples if mode == "RGB" else samples[..., 0])
    if mode == "P":
        image.putpalette(bytes(range(256)) * 3)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    data = buffer.getvalue()
    runs = decode_runs(data, (GRAY, RGB, PALETTE))
    if runs is None:  # with so few colours Pillow stores less than 8 bits
        assert mode in "LP" and data[24] < 8
        return
    np.testing.assert_array_equal(runs.to_map(), pillow_labels(data))


@pytest.mark.parametrize("cut", [1, 2, 7, 100])
@pytest.mark.parametrize("level", [0, 1, 9])
def test_pieces_of_idat(cut, level, inflater):
    samples = picture("mask", (20, 30), 3)
    data = make_png(samples, RGB, filters=[4, 2], cut=cut, level=level)
    np.testing.assert_array_equal(decode_runs(data, (RGB,)).to_map(), rgb_to_ids(samples))


SIXTEEN = np.random.default_rng(0).integers(0, 2**16, (9, 12, 3), dtype=np.uint16)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(make_png(picture("mask", (9, 12), 3), 2, interlaced=True), id="interlaced"),
        pytest.param(make_png(SIXTEEN, 2, depth=16), id="16 bits"),
        pytest.param(make_png(SIXTEEN[..., :1], 0, depth=16), id="16-bit gray"),
        pytest.param(make_png(picture("mask", (9, 12), 4), 6), id="alpha"),
        pytest.param(make_png(picture("mask", (9, 12), 2), 4), id="gray with alpha"),
        pytest.param(
            make_png(picture("mask", (9, 12), 3), 2, extra=chunk(b"tRNS", bytes(6))),
            id="a transparent colour",
        ),
        pytest.param(
            make_png(picture("mask", (9, 12), 3), 2, extra=chunk(b"gAMA", bytes([0, 0, 177, 143]))),
            id="another chunk",
        ),
        pytest.param(
            make_png(picture("mask", (9, 12), 3), 2, palette=bytes(9)), id="RGB with a palette"
        ),
        pytest.param(make_png(picture("mask", (9, 12), 1), 3, palette=None), id="no palette"),
        pytest.param(make_png(picture("mask", (9, 16), 1)[:, :2], 3, depth=1), id="1 bit"),
        pytest.param(b"GIF89a" + bytes(40), id="a GIF"),
        pytest.param(b"", id="nothing"),
        pytest.param(SIGNATURE, id="a signature"),
    ],
)
def test_unusual_files_are_left_to_the_ordinary_decoder(data):
    assert decode_runs(data, (GRAY, RGB, PALETTE)) is None


def test_colour_types_that_were_not_asked_for():
    assert decode_runs(make_png(picture("mask", (9, 12), 1), PALETTE), (RGB,)) is None
    assert decode_runs(make_png(picture("mask", (9, 12), 3), RGB), (GRAY, PALETTE)) is None


def test_without_numba(monkeypatch, tmp_path):
    samples = picture("mask", (9, 12), 3)
    (tmp_path / "a.png").write_bytes(make_png(samples, RGB))
    with_numba = read_panoptic_runs(tmp_path / "a.png")
    monkeypatch.setenv("VPS_NUMBA", "0")
    assert decode_runs(make_png(samples, RGB), (RGB,)) is None
    np.testing.assert_array_equal(with_numba.to_map(), rgb_to_ids(samples))
    np.testing.assert_array_equal(
        read_panoptic_runs(tmp_path / "a.png").to_map(), rgb_to_ids(samples)
    )
    np.testing.assert_array_equal(read_panoptic_png(tmp_path / "a.png"), rgb_to_ids(samples))


# --- damage: the outcome is that of the ordinary decoder, error for error ---


def outcomes(path, data: bytes, monkeypatch) -> list:
    """The ids or the error of a file, by the fast path and by the ordinary decoder."""
    path.write_bytes(data)
    found = []
    for switch in ("1", "0"):
        monkeypatch.setenv("VPS_NUMBA", switch)
        for read in (read_panoptic_png, lambda p: read_panoptic_runs(p).to_map()):
            try:
                found.append(read(path).tolist())
            except InputError as error:
                assert str(path) in str(error)
                found.append(str(error))
    return found


GOOD = make_png(picture("mask", (6, 10), 3), RGB, filters=[1, 2, 3, 4, 0])
ROWS = filter_rows(picture("mask", (6, 10), 3), [1, 2, 3, 4, 0])
BAD_FILTER = ROWS[: 31 * 3] + b"\x05" + ROWS[31 * 3 + 1 :]
STREAM = zlib.compress(ROWS)
IDAT = GOOD.index(b"IDAT")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(GOOD[:20] + b"\x07" + GOOD[21:], id="a wrong checksum of the header"),
        pytest.param(GOOD[: IDAT + 9] + b"\x07" + GOOD[IDAT + 10 :], id="one of IDAT"),
        pytest.param(GOOD[:-1] + b"\x07", id="one of IEND"),
        pytest.param(GOOD[:-12], id="no end"),
        pytest.param(GOOD[: IDAT - 4] + chunk(b"IEND", b""), id="no IDAT"),
        pytest.param(GOOD + b"more", id="bytes behind the end"),
        pytest.param(GOOD[:8] + GOOD[33:], id="no header"),
        pytest.param(GOOD[:33] + GOOD[8:], id="two headers"),
        pytest.param(make_png(np.zeros((6, 10, 3)), RGB, rows=BAD_FILTER), id="a wrong filter"),
        pytest.param(make_png(np.zeros((6, 10, 3)), RGB, rows=ROWS[:-1]), id="a byte too few"),
        pytest.param(make_png(np.zeros((6, 10, 3)), RGB, rows=ROWS[:-31]), id="a row too few"),
        pytest.param(make_png(np.zeros((6, 10, 3)), RGB, rows=b""), id="no rows"),
        pytest.param(make_png(np.zeros((6, 10, 3)), RGB, rows=ROWS + b"1"), id="a byte too many"),
        pytest.param(make_png(np.zeros((6, 10, 3)), RGB, stream=STREAM[:-4]), id="no Adler-32"),
        pytest.param(
            make_png(np.zeros((6, 10, 3)), RGB, stream=STREAM[:-4] + b"1234"), id="a wrong one"
        ),
        pytest.param(make_png(np.zeros((6, 10, 3)), RGB, stream=STREAM + b"1"), id="a tail"),
        pytest.param(make_png(np.zeros((6, 10, 3)), RGB, stream=b"x" * 30), id="no zlib stream"),
        pytest.param(make_png(np.zeros((0, 10, 3)), RGB), id="no height"),
        pytest.param(make_png(picture("mask", (6, 10), 1), PALETTE), id="a palette picture"),
    ],
)
def test_damage(tmp_path, monkeypatch, data, inflater):
    first, *others = outcomes(tmp_path / "bad.png", data, monkeypatch)
    assert all(other == first for other in others)


def test_damage_is_seen(tmp_path):
    """What the fast path must not accept by itself."""
    for rows in (BAD_FILTER, ROWS[:-1], ROWS[:-31], ROWS + b"1"):
        assert decode_runs(make_png(np.zeros((6, 10, 3)), RGB, rows=rows), (RGB,)) is None
    (tmp_path / "bad.png").write_bytes(make_png(np.zeros((6, 10, 3)), RGB, rows=BAD_FILTER))
    with pytest.raises(InputError, match=r"bad\.png is corrupt or truncated"):
        read_panoptic_runs(tmp_path / "bad.png")
    with pytest.raises(InputError, match=r"none\.png does not exist"):
        read_panoptic_runs(tmp_path / "none.png")


def test_every_truncation(tmp_path, monkeypatch):
    for length in range(len(GOOD)):
        first, *others = outcomes(tmp_path / "cut.png", GOOD[:length], monkeypatch)
        assert all(other == first for other in others), length


@pytest.mark.parametrize("level", ["file", "stream", "rows"])
def test_random_damage(tmp_path, monkeypatch, level, inflater):
    """Change a byte of the file, or, with checksums that fit, of the stream or of the rows."""
    rng = np.random.default_rng(5)
    blank = np.zeros((6, 10, 3))
    accepted = 0
    for _ in range(200):
        data = bytearray({"file": GOOD, "stream": STREAM, "rows": ROWS}[level])
        data[rng.integers(len(data))] ^= int(rng.integers(1, 256))
        if level != "file":
            part = {"stream": {"stream": bytes(data)}, "rows": {"rows": bytes(data)}}[level]
            data = make_png(blank, RGB, **part)
        first, *others = outcomes(tmp_path / "bad.png", bytes(data), monkeypatch)
        assert all(other == first for other in others), data
        accepted += not isinstance(first, str)
    assert accepted > 20 or level != "rows"
