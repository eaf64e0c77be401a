"""The model that segments by colour, on disk, and small videos for it."""

from __future__ import annotations

import color_model
import pytest
from PIL import Image

from vps.io.video import VideoWriter


@pytest.fixture
def color_files(tmp_path_factory):
    """Paths of a config file and of weights for it."""
    color_model.register()
    return color_model.write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def color_folder(tmp_path):
    """A folder of 12 frames, 000 to 011."""
    folder = tmp_path / "input" / "walk"
    folder.mkdir(parents=True)
    for index in range(12):
        Image.fromarray(color_model.draw_frame(index)).save(folder / f"{index:03d}.png")
    return folder


@pytest.fixture
def color_video(tmp_path):
    """A video of 40 frames at 20 frames per second, its index in front."""
    path = tmp_path / "input" / "drive.mp4"
    with VideoWriter(path, fps=20, crf=8) as writer:
        for index in range(40):
            writer.write(color_model.draw_frame(index))
    return path
