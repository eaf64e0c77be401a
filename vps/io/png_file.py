"""PNG files of labels, read so that a damaged file cannot become a wrong score.

Pillow does not look at the checksums of the pixel data and turns 16-bit colours into 8 bits without
a word, so the structure of the file is checked here first: every chunk's length and checksum, and
what its header says. That costs a fiftieth of the decoding.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vps.io.images import colour_words, keep_freed_memory
from vps.io.png_runs import GRAY, PALETTE, RGB, decode_runs
from vps.structures import InputError, LabelRuns

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOURS = {GRAY: "gray", RGB: "RGB", PALETTE: "palette", 4: "gray with alpha", 6: "RGBA"}


@dataclass(frozen=True)
class PngFile:
    """A PNG whose chunks are whole; its pixels are not decoded yet.

    Attributes:
        path: where it was read.
        data: its bytes.
        height, width, depth, colour: of its header; depth in bits, colour as PNG numbers them.
    """

    path: str
    data: bytes
    height: int
    width: int
    depth: int
    colour: int

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    @property
    def digest(self) -> bytes:
        """SHA-256 of the file."""
        return hashlib.sha256(self.data).digest()

    def decode_runs(self) -> LabelRuns:
        """Segment ids of an RGB panoptic PNG (id = R + 256 G + 65536 B), as runs.

        Raises:
            InputError: it is no 8-bit RGB picture, or its pixels cannot be decoded.
        """
        if (self.colour, self.depth) != (RGB, 8):
            raise InputError(
                "expected an 8-bit RGB panoptic PNG (id = R + 256 G + 65536 B), got "
                f"{self._kind} in {self.path}"
            )
        runs = decode_runs(self.data, colour_types=(RGB,))
        return LabelRuns.from_words(self._decode(colour_words)) if runs is None else runs

    def decode_labels(self) -> np.ndarray:
        """Object numbers uint8 [H, W] of a palette (or 8-bit gray) PNG.

        Raises:
            InputError: it is neither, or its pixels cannot be decoded.
        """
        gray = self.colour == GRAY and self.depth in (1, 8)
        if self.colour != PALETTE and not gray:
            raise InputError(
                "expected a palette PNG whose values are object numbers, got "
                f"{self._kind} in {self.path}"
            )
        runs = decode_runs(self.data, colour_types=(PALETTE, GRAY))
        if runs is not None:
            return runs.to_map(np.uint8)
        return self._decode(np.asarray).astype(np.uint8, copy=False)

    @property
    def _kind(self) -> str:
        return f"{self.depth}-bit {_COLOURS.get(self.colour, f'colour type {self.colour}')}"

    def _decode(self, as_array: Callable[[Image.Image], np.ndarray]) -> np.ndarray:
        keep_freed_memory()
        try:
            with Image.open(io.BytesIO(self.data), formats=["PNG"]) as image:
                return as_array(image)
        except Exception as error:  # what Pillow raises on a bad stream is not one family
            raise InputError(f"the pixels of {self.path} cannot be decoded: {error}") from error


def read_png_file(path: str | os.PathLike) -> PngFile:
    """Read a PNG and check that it is whole.

    Raises:
        InputError: missing, empty, no PNG, truncated or damaged; names the file.
    """
    path = os.fspath(path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if not data.startswith(_SIGNATURE):
        found = f"{len(data)} bytes of something else" if data else "an empty file"
        raise InputError(f"expected a PNG in {path}, got {found}")
    header, place, kind = None, len(_SIGNATURE), b""
    while kind != b"IEND":
        if place + 12 > len(data):
            raise InputError(f"the PNG {path} is truncated: it ends after {len(data)} bytes")
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if end > len(data):
            raise InputError(
                f"the PNG {path} is truncated: it ends after {len(data)} bytes, within the chunk "
                f"{kind!r} at byte {place}"
            )
        if zlib.crc32(memoryview(data)[place + 4 : end - 4]) != int.from_bytes(
            data[end - 4 : end], "big"
        ):
            raise InputError(
                f"the PNG {path} is damaged: the chunk {kind!r} at byte {place} fails its checksum"
            )
        if header is None:
            if kind != b"IHDR" or length != 13:
                raise InputError(f"the PNG {path} is damaged: it does not begin with its header")
            header = struct.unpack_from(">IIBB", data, place + 8)
        place = end
    width, height, depth, colour = header
    return PngFile(path, data, height, width, depth, colour)
