"""One frame as several models see it, side by side: a frame of a comparing video."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from vps.structures import Category, PanopticFrame
from vps.visualization.overlay import draw_panoptic
from vps.visualization.sheet import SheetRow, picture_sheet, resize_labels

_BLANK = 225  # grey of what is missing


class Panel(NamedTuple):
    """What one model (or the ground truth) says of the frame; None is drawn blank."""

    title: str
    frame: PanopticFrame | None
    categories: Sequence[Category]


def draw_panels(
    image: np.ndarray, panels: Sequence[Panel], *, caption: str = "", width: int = 480
) -> np.ndarray:
    """Draw the image and each panel over it, in one row with titles.

    Args:
        image: uint8 [H, W, 3].
        panels: at the image's size.
        caption: of the row.
        width: of one picture, to which all are resized; pixels.

    Returns:
        uint8 [H', W', 3], of the same size for images of the same size.
    """
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    picture = np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
    pictures = [picture]
    for panel in panels:
        if panel.frame is None:
            pictures.append(np.full_like(picture, _BLANK))
        else:
            frame = resize_labels(panel.frame, height, width)
            pictures.append(draw_panoptic(picture, frame, panel.categories, text_size=11))
    columns = ("image", *(panel.title for panel in panels))
    return picture_sheet([SheetRow(caption, pictures)], columns=columns)
