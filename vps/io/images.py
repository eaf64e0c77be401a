"""Reading of pictures as uint8 RGB arrays."""

from __future__ import annotations

import os
from functools import cache

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from vps.structures import InputError

_ORIENTATION = 0x0112  # tag of EXIF


def open_image(path: str | os.PathLike) -> Image.Image:
    """Open and fully decode a picture.

    Raises:
        InputError: the file is missing, no picture, or truncated; names the file.
    """
    keep_freed_memory()
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except FileNotFoundError as error:
        raise InputError(f"image {path} does not exist") from error
    except UnidentifiedImageError as error:
        size = os.path.getsize(path) if os.path.isfile(path) else 0
        raise InputError(
            f"expected an image in {path}, got {size} bytes of no known image format"
        ) from error
    except (
        OSError,
        SyntaxError,
        ValueError,
    ) as error:  # Pillow reports broken PNG chunks as SyntaxError
        raise InputError(f"image {path} is corrupt or truncated: {error}") from error


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Read a picture as uint8 [H, W, 3], RGB, turned as its EXIF orientation says.

    Raises:
        InputError: the file is missing, no picture, or truncated; names the file.
    """
    return np.array(read_picture(path))


def read_picture(path: str | os.PathLike) -> Image.Image:
    """The same as an image of Pillow, for those who keep a part of it only: packing the pixels into
    an array takes a third of the time of decoding them.
    """
    image = open_image(path)
    ImageOps.exif_transpose(image, in_place=True)  # else it copies what is upright
    return image if image.mode == "RGB" else image.convert("RGB")


def read_image_size(path: str | os.PathLike) -> tuple[int, int]:
    """(height, width) that ``read_image`` would give, from the head of the file alone.

    Raises:
        InputError: the file is missing or no picture; names the file.
    """
    try:
        with Image.open(path) as image:
            turned = image.getexif().get(_ORIENTATION, 1) >= 5  # these exchange height and width
            return (image.width, image.height) if turned else (image.height, image.width)
    except (OSError, SyntaxError, ValueError):
        open_image(path)  # says what is wrong
        raise


def colour_words(image: Image.Image) -> np.ndarray:
    """The colours of an RGB picture as uint32 [H, W], R in the lowest byte, then G and B.

    The highest byte is what Pillow fills up with: it keeps four bytes per pixel, and handing them
    over as they are is no slower than packing three. Words are compared and masked three times as
    fast as bytes are.
    """
    words = np.frombuffer(image.tobytes("raw", "RGBX"), "<u4")
    return words.reshape(image.height, image.width)


@cache
def keep_freed_memory() -> None:
    """Let the process keep the memory of one picture for the next.

    The C library of Linux returns large blocks to the system as soon as they are freed, until it
    has seen a larger one come and go. Without this every picture is put into pages that have to be
    cleared first, which can take as long as decoding. The block is never touched and costs nothing.
    """
    np.empty(16 << 20, np.uint8)
