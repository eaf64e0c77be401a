"""Which video an image is of, in the data sets whose files lie flat and name it in the image id."""

from __future__ import annotations

from collections.abc import Callable


def first_four(image_id: str) -> str:
    """Cityscapes-VPS: ``0005_0025_frankfurt_000000_001736`` is of video ``0005``."""
    return image_id[:4]


def prefix(image_id: str) -> str:
    """VIPER: ``001_00017`` is of video ``001``."""
    return image_id.rpartition("/")[2].partition("_")[0]


def image(image_id: str) -> str:
    """Single images: each is a video of its own."""
    return image_id


VIDEO_NAMES: dict[str, Callable[[str], str]] = {
    "first4": first_four,
    "prefix": prefix,
    "image": image,
}
