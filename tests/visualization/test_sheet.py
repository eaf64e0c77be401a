"""Picture sheets."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vps.structures import Category, PanopticFrame, Segment
from vps.visualization import (
    Comparison,
    SheetRow,
    comparison_sheet,
    picture_sheet,
    track_color,
    write_picture,
)
from vps.visualization.sheet import _matched_colors

CATEGORIES = [Category("dog", True, (220, 20, 60), 1), Category("sky", False, (70, 130, 180), 2)]


def frame(left: int, right: int) -> PanopticFrame:
    """Two things side by side."""
    ids = np.full((30, 40), left, np.int32)
    ids[:, 20:] = right
    return PanopticFrame("0", ids, {left: Segment(0, True), right: Segment(0, True)})


def test_pictures_stand_in_rows_and_columns():
    colors = [[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (255, 0, 255)]]
    rows = [
        SheetRow(f"row {i}", [np.full((50, 80, 3), color, np.uint8) for color in row])
        for i, row in enumerate(colors)
    ]
    sheet = picture_sheet(rows, columns=["a", "b"], title="title")
    assert sheet.dtype == np.uint8 and sheet.shape[1] == 2 * 80 + 3 * 6
    for i, row in enumerate(colors):
        for j, color in enumerate(row):
            rows_of, columns_of = np.nonzero((sheet == color).all(axis=-1))
            assert len(rows_of) == 50 * 80
            assert columns_of.min() == 6 + j * 86
            assert (rows_of.min() > 80) == (i == 1)


def test_comparison_enlarges_small_frames_and_leaves_blanks():
    image = np.zeros((30, 40, 3), np.uint8)
    rows = [
        Comparison("one", image, frame(3, 4), None),
        Comparison("two", image, None, frame(5, 6)),
    ]
    sheet = comparison_sheet(rows, CATEGORIES, width=200, title="t")
    assert sheet.shape[1] == 3 * 200 + 4 * 6
    assert sheet.shape[0] > 2 * 150


def test_predictions_wear_the_colours_of_what_they_cover():
    image = np.zeros((30, 40, 3), np.uint8)
    rows = [
        Comparison("0", image, frame(3, 4), frame(14, 13)),  # other ids, same things
        Comparison("1", image, frame(3, 4), frame(14, 99)),  # the right one lost its identity
        Comparison("2", image, frame(3, 4), frame(14, 13)),
    ]
    colors = _matched_colors(rows)
    assert colors[14] == track_color(3) and colors[13] == track_color(4)
    assert colors[99] not in (track_color(3), track_color(4))
    assert len(set(colors.values())) == 3


def test_a_prediction_that_covers_nothing_never_borrows_a_taken_colour():
    image = np.zeros((30, 40, 3), np.uint8)
    sky = PanopticFrame("0", np.full((30, 40), 8, np.int32), {8: Segment(1, False)})
    rows = [
        Comparison("0", image, frame(3, 4), frame(4, 3)),
        Comparison("1", image, sky, frame(5, 6)),
    ]
    assert len(set(_matched_colors(rows).values())) == 4


def test_uneven_rows_are_refused():
    picture = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(ValueError, match=r"got \[1, 2\]"):
        picture_sheet([SheetRow("", [picture]), SheetRow("", [picture] * 2)])
    with pytest.raises(ValueError, match="got \\[\\]"):
        picture_sheet([])


def test_write_picture(tmp_path):
    picture = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    write_picture(tmp_path / "new" / "p.png", picture)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "new" / "p.png")), picture)
