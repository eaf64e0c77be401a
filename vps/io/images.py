"""Reading of pictures as uint8 RGB arrays."""

from __future__ import annotations

import os
from functools import cache

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from vps.structures import InputError


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
    image = ImageOps.exif_transpose(open_image(path))
    return np.array(image.convert("RGB"))


@cache
def keep_freed_memory() -> None:
    """Let the process keep the memory of one picture for the next.

    The C library of Linux returns large blocks to the system as soon as they are freed, until it
    has seen a larger one come and go. Without this every picture is put into pages that have to be
    cleared first, which can take as long as decoding. The block is never touched and costs nothing.
    """
    np.empty(16 << 20, np.uint8)
