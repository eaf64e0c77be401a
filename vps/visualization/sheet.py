"""Picture sheets: rows of frames, columns of what belongs together, captions around them.

The usual sheet shows image | ground truth | prediction. Small frames are enlarged before they are
drawn on, so that labels stay readable, and a predicted thing wears the colour of the true thing
that it covers best over all rows: a track that changes its identity changes its colour.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vps.io.atomic import atomic_write
from vps.structures import Category, PanopticFrame
from vps.visualization.colors import Color, track_color
from vps.visualization.overlay import draw_panoptic

_GAP = 6
_TEXT_SIZE = 11  # of labels in the pictures
_BLANK = 225  # grey of what is missing
_PAPER, _INK, _FAINT = (250, 250, 248), (30, 30, 34), (110, 110, 118)


class SheetRow(NamedTuple):
    """One row: its caption and its pictures, each uint8 [H, W, 3]."""

    caption: str
    pictures: Sequence[np.ndarray]


class Comparison(NamedTuple):
    """One frame with its ground truth and its prediction; either may be None (drawn blank)."""

    caption: str
    image: np.ndarray  # uint8 [H, W, 3]
    ground_truth: PanopticFrame | None
    prediction: PanopticFrame | None


def comparison_sheet(
    comparisons: Sequence[Comparison],
    categories: Sequence[Category],
    *,
    title: str = "",
    width: int = 480,
    match_colors: bool = True,
) -> np.ndarray:
    """Draw image | ground truth | prediction, one row per frame.

    Args:
        comparisons: the rows. With ``match_colors`` those of one video belong in one call.
        categories: of the data set, contiguous.
        title: a line at the top.
        width: of a picture on the sheet; pixels.
        match_colors: paint predicted things like the true things that they cover.

    Returns:
        uint8 [H, W, 3].
    """
    rows = list(comparison_rows(comparisons, categories, width=width, match_colors=match_colors))
    return picture_sheet(rows, columns=("image", "ground truth", "prediction"), title=title)


def comparison_rows(
    comparisons: Sequence[Comparison],
    categories: Sequence[Category],
    *,
    width: int = 480,
    match_colors: bool = True,
) -> Iterator[SheetRow]:
    """Draw the rows of a ``comparison_sheet`` one by one, each three pictures of one size.

    ``np.concatenate(row.pictures, axis=1)`` is a frame of a side-by-side video.
    """
    colors = _matched_colors(comparisons) if match_colors else {}
    for caption, image, ground_truth, prediction in comparisons:
        height = max(1, round(image.shape[0] * width / image.shape[1]))
        picture = np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
        pictures = [picture]
        for frame, overrides in ((ground_truth, None), (prediction, colors)):
            if frame is None:
                pictures.append(np.full_like(picture, _BLANK))
            else:
                larger = resize_labels(frame, height, width)
                drawn = draw_panoptic(
                    picture, larger, categories, colors=overrides, text_size=_TEXT_SIZE
                )
                pictures.append(drawn)
        yield SheetRow(caption, pictures)


def picture_sheet(
    rows: Sequence[SheetRow], *, columns: Sequence[str] = (), title: str = ""
) -> np.ndarray:
    """Lay out pictures in rows and columns, with a caption over each row and each column.

    Args:
        rows: every row has the same number of pictures; sizes may differ.
        columns: a heading per column, or none.
        title: a line at the top, or none.

    Returns:
        uint8 [H, W, 3].
    """
    if not rows or any(len(row.pictures) != len(rows[0].pictures) for row in rows):
        raise ValueError(
            "expected rows of the same number of pictures, at least one row, got "
            f"{[len(row.pictures) for row in rows]}"
        )
    number = len(rows[0].pictures)
    if columns and len(columns) != number:
        raise ValueError(f"expected {number} column headings, got {len(columns)}")
    widths = [max(row.pictures[i].shape[1] for row in rows) for i in range(number)]
    heights = [max(picture.shape[0] for picture in row.pictures) for row in rows]
    small = int(np.clip(max(widths) // 26, 11, 20))
    line = small + 6
    top = _GAP + (2 * line if title else 0) + (line if columns else 0)
    sheet_width = sum(widths) + _GAP * (number + 1)
    sheet_height = top + sum(height + line + _GAP for height in heights)

    sheet = Image.new("RGB", (sheet_width, sheet_height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    lefts = np.cumsum([_GAP, *(width + _GAP for width in widths)]).tolist()
    if title:
        large = ImageFont.load_default(round(1.4 * small))
        pen.text((_GAP, _GAP + line // 2), title, font=large, fill=_INK, anchor="lm")
    font = ImageFont.load_default(small)
    for heading, left, width in zip(columns, lefts, widths):
        pen.text((left + width // 2, top - line // 2), heading, font=font, fill=_INK, anchor="mm")
    for row, height in zip(rows, heights):
        pen.text((_GAP, top + line // 2), row.caption, font=font, fill=_FAINT, anchor="lm")
        for picture, left in zip(row.pictures, lefts):
            sheet.paste(Image.fromarray(picture), (left, top + line))
        top += line + height + _GAP
    return np.array(sheet)


def write_picture(path: str | os.PathLike, picture: np.ndarray) -> None:
    """Write uint8 [H, W, 3] as a PNG, atomically."""
    with atomic_write(path) as file:
        Image.fromarray(picture).save(file, format="PNG")


def resize_labels(frame: PanopticFrame, height: int, width: int) -> PanopticFrame:
    """The frame at another size, each pixel the nearest of the old ones."""
    old_height, old_width = frame.ids.shape
    rows = (np.arange(height) + 0.5) * old_height // height
    columns = (np.arange(width) + 0.5) * old_width // width
    ids = frame.ids[rows.astype(int)[:, None], columns.astype(int)]
    return PanopticFrame(frame.frame_id, ids, frame.segments)


def _matched_colors(comparisons: Sequence[Comparison]) -> dict[int, Color]:
    """{predicted thing: colour of the true thing with which it shares the most pixels}.

    Each true thing lends its colour once, largest overlap first, so that two predictions never
    look alike; a prediction that covers nothing keeps its own colour unless that is taken.
    """
    shared: dict[tuple[int, int], int] = {}
    predicted: set[int] = set()
    for _, _, truth, prediction in comparisons:
        if truth is None or prediction is None:
            continue
        predicted |= {s for s, segment in prediction.segments.items() if segment.isthing}
        pairs = (truth.ids.astype(np.int64) << 32) | prediction.ids
        for pair, count in zip(*(x.tolist() for x in np.unique(pairs, return_counts=True))):
            true_id, predicted_id = pair >> 32, pair & 0xFFFFFFFF
            true_segment = truth.segments.get(true_id)
            if predicted_id in predicted and true_segment is not None and true_segment.isthing:
                key = (true_id, predicted_id)
                shared[key] = shared.get(key, 0) + count
    lent: dict[int, int] = {}  # predicted id -> true id
    for true_id, predicted_id in sorted(shared, key=lambda key: -shared[key]):
        if predicted_id not in lent and true_id not in lent.values():
            lent[predicted_id] = true_id
    taken = {track_color(true_id) for true_id in lent.values()}
    colors = {predicted_id: track_color(true_id) for predicted_id, true_id in lent.items()}
    fresh = max([0, *predicted, *lent.values()]) + 1
    for predicted_id in sorted(predicted - colors.keys()):
        color = track_color(predicted_id)
        while color in taken:
            color, fresh = track_color(fresh), fresh + 1
        taken.add(color)
        colors[predicted_id] = color
    return colors
