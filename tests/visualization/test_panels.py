"""Side-by-side frames and curves over the number of objects."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vps.structures import Category, PanopticFrame, Segment
from vps.visualization import Panel, draw_panels, plot_crowd_curves

CATEGORIES = [Category("car", True, (250, 0, 0), 1)]


def test_panels_stand_side_by_side():
    image = np.full((40, 60, 3), 120, np.uint8)
    ids = np.zeros((40, 60), np.int32)
    ids[10:30, 20:40] = 7
    frame = PanopticFrame("0", ids, {7: Segment(0, True)})
    panels = [Panel("truth", frame, CATEGORIES), Panel("none", None, CATEGORIES)]
    drawn = draw_panels(image, panels, width=90)
    assert drawn.dtype == np.uint8 and drawn.shape[1] == 3 * 90 + 4 * 6
    height, bottom = 60, drawn.shape[0] - 6
    pictures = [drawn[bottom - height : bottom, 6 + i * 96 : 96 + i * 96] for i in range(3)]
    assert (pictures[0] == 120).all()  # the image
    centre, corner = pictures[1][30, 45], pictures[1][2, 2]
    assert (corner == 120).all() and not (centre == 120).all()
    assert (pictures[2] == pictures[2][0, 0]).all() and not (pictures[2] == 120).all()
    again = draw_panels(image, panels[::-1], width=90, caption="b")
    assert again.shape == drawn.shape


def test_curves_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    panels = {"IoU (%)": {"a": {"1-5": 90.0, "11-20": 70.0}, "b": {"6-10": 50.0}}, "empty": {}}
    plot_crowd_curves(panels, ["0", "1-5", "6-10", "11-20"], tmp_path / "curves.png")
    picture = np.array(Image.open(tmp_path / "curves.png").convert("RGB"))
    assert (
        picture.shape[1] > 2 * picture.shape[0]
        and len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
    )
