"""A small data set to plant faults in."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from vps.data.check import Problem, check_source
from vps.data.check.panoptic_index import PanopticIndex
from vps.data.shapes_world import SHAPES_CATEGORIES
from vps.io import read_panoptic_png, write_panoptic_png


class World:
    """A split of Shapes-VPS in a folder of its own: three videos of six frames, 00000, 00002 and
    00004 of them labelled.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def index(self) -> Path:
        return self.folder / "panoptic.json"

    def picture(self, frame: str = "00002", video: str = "0001") -> Path:
        return self.folder / "images" / video / f"{frame}.jpg"

    def label(self, frame: str = "00002", video: str = "0001") -> Path:
        return self.folder / "panoptic" / video / f"{frame}.png"

    def edit(self, change: Callable[[dict], object]) -> None:
        """Change the JSON; what ``change`` returns is not looked at."""
        content = json.loads(self.index.read_text())
        change(content)
        self.index.write_text(json.dumps(content))

    def edit_frame(self, change: Callable[[dict], object], frame: int = 1, video: int = 1) -> None:
        """Change the annotation of the labelled frame number ``frame``."""
        self.edit(lambda c: change(c["annotations"][video]["annotations"][frame]))

    def segment(self, place: int, frame: int = 1, video: int = 1) -> dict:
        """A segment of the JSON."""
        content = json.loads(self.index.read_text())
        return content["annotations"][video]["annotations"][frame]["segments_info"][place]

    def repaint(self, change: Callable[[np.ndarray], object]) -> None:
        """Change the ids int32 [H, W] of the label in place."""
        ids = read_panoptic_png(self.label()).copy()
        change(ids)
        write_panoptic_png(self.label(), ids)

    def problems(self, **options) -> list[Problem]:
        """What a check finds."""
        return list(check_source(self.source(), **options))

    def source(self) -> PanopticIndex:
        return PanopticIndex(
            self.folder / "images", self.folder / "panoptic", self.index, SHAPES_CATEGORIES
        )


def cut(path: Path, share: float = 0.6) -> None:
    """Leave the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def flip_bit(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def write_picture(path: Path, shape: tuple[int, int], mode: str = "RGB") -> None:
    Image.new(mode, shape[::-1]).save(path)


def assert_found(problems: list[Problem], kinds: str | tuple[str, ...], sentence: str) -> None:
    kinds = {kinds} if isinstance(kinds, str) else {*kinds}
    assert {problem.kind for problem in problems} == kinds, problems
    assert any(re.search(sentence, problem.message) for problem in problems), problems
