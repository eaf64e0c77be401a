"""Training curves."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from PIL import Image

from vps.structures import InputError
from vps.visualization.curves import _group, plot_curves, read_curves, smooth


def write(path, rows, tail=""):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + tail)
    return path


def rows(count=100):
    for i in range(0, count * 20, 20):
        row = {"iteration": i, "total_loss": 2.0 / (i + 1), "loss_mask": 1.0 / (i + 1)}
        yield {**row, "lr": 1e-3, "time": 0.1, "eta_seconds": 5.0, "data_time": 0.01}
        if i % 500 == 0:
            yield {"iteration": i, "video_panoptic_seg/VPQ": i / 20, "STQ": float("nan")}


def test_curves_are_read_by_name(tmp_path):
    curves = read_curves(write(tmp_path / "metrics.json", rows()))
    assert set(curves) == {"total_loss", "loss_mask", "lr", "video_panoptic_seg/VPQ"}
    iterations, values = curves["video_panoptic_seg/VPQ"]
    np.testing.assert_array_equal(iterations, [0, 500, 1000, 1500])
    np.testing.assert_allclose(values, [0, 25, 50, 75])


def test_a_resumed_run_overrides_what_it_repeats(tmp_path):
    lines = [{"iteration": i, "total_loss": 1.0 + i} for i in (0, 20, 40, 20, 40, 60)]
    lines[3]["total_loss"] = 9.0
    iterations, values = read_curves(write(tmp_path / "m.json", lines))["total_loss"]
    np.testing.assert_array_equal(iterations, [0, 20, 40, 60])
    np.testing.assert_array_equal(values, [1, 9, 41, 61])


def test_a_last_line_that_was_cut_off_is_no_error(tmp_path):
    path = write(tmp_path / "m.json", [{"iteration": 1, "loss": 2.0}], tail='{"iterat')
    assert read_curves(path)["loss"][1].tolist() == [2.0]


def test_picture_is_drawn(tmp_path):
    plot_curves(write(tmp_path / "metrics.json", rows()), tmp_path / "curves.png")
    picture = np.asarray(Image.open(tmp_path / "curves.png").convert("RGB"))
    assert picture.shape[1] > 1000 and len(np.unique(picture.reshape(-1, 3), axis=0)) > 50


# text of the file, what the error says
BAD_FILES = [
    ("", "numbers over iterations in .*m.json, got none"),
    ("not json\n" + '{"iteration": 1, "loss": 1}\n', "line 1 of .*m.json, got 'not json'"),
    ('{"loss": 1}\n{"iteration": 1, "loss": 1}\n', "'iteration' in line 1"),
]


@pytest.mark.parametrize("text, message", BAD_FILES)
def test_bad_files_are_named(tmp_path, text, message):
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(InputError, match=message):
        plot_curves(tmp_path / "m.json", tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()


def test_curves_are_grouped_by_what_they_mean(tmp_path):
    lines = [
        {"iteration": 1, "total_loss": 2.0, "lr": 0.1, "v/VPQ": 50.0, "v/STQ": 0.5, "VPQ-car": 3.0}
    ]
    groups = _group(read_curves(write(tmp_path / "m.json", lines)))
    assert {title: list(group) for title, group in groups.items()} == {
        "loss": ["total_loss"],
        "learning rate": ["lr"],
        "scores": ["VPQ"],
        "scores, 0 to 1": ["STQ"],
    }


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*none\.json: No such file"):
        read_curves(tmp_path / "none.json")


def test_missing_matplotlib_is_said(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        plot_curves(write(tmp_path / "m.json", rows()), tmp_path / "curves.png")


def test_smoothing_keeps_lines_and_ends():
    line = np.linspace(3, 7, 201)
    np.testing.assert_allclose(smooth(line, 0.2), line)
    noise = np.random.default_rng(0).normal(size=500)
    assert smooth(noise, 0.2)[100:-100].std() < 0.25 * noise.std()
    assert smooth([5.0]).tolist() == [5.0]
