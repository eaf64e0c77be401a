"""A video of Shapes-VPS on its way into another data set's layout: its name and its frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from vps.data.shapes_world.dataset import ShapesSplit, open_world
from vps.structures import PanopticFrame


@dataclass(frozen=True)
class LayoutVideo:
    """Video ``number`` (0, 1, ...) of the split ``split`` ("train", "val" or "test")."""

    split: str
    number: int
    source: ShapesSplit

    def frames(self, *, steps_between: int = 0) -> Iterator[tuple[int, np.ndarray, PanopticFrame]]:
        """Draw (t, image uint8 [H, W, 3] RGB, labels with ids and categories of Shapes-VPS).

        With ``steps_between`` the film runs more smoothly: so many frames are drawn between each
        two of the video, and t counts them all.
        """
        world = open_world(self.source, self.number)
        step = steps_between + 1
        for t in range(step * (self.source.frames - 1) + 1):
            yield t, *world.render(t / step if t % step else t // step)


class Instance(NamedTuple):
    """A thing as a data set numbers it: the ``number``-th (0, 1, ...) of its class in the video."""

    category: int
    number: int


class InstanceNumbers:
    """Numbers the things of a video within their class, in the order in which they appear."""

    def __init__(self) -> None:
        self._known: dict[int, Instance] = {}
        self._counts: dict[int, int] = {}

    def of(self, frame: PanopticFrame) -> dict[int, Instance]:
        """{segment id: its number} of the things of the next frame."""
        for segment_id, segment in sorted(frame.segments.items()):
            if segment.isthing and segment_id not in self._known:
                number = self._counts.get(segment.category, 0)
                self._known[segment_id] = Instance(segment.category, number)
                self._counts[segment.category] = number + 1
        return {key: self._known[key] for key, s in frame.segments.items() if s.isthing}


class ObjectNumbers:
    """Numbers the objects of a video 1, 2, ... in the order in which they appear.

    Attributes:
        categories: {object number: category of Shapes-VPS}.
        frames: {object number: names of the frames that it is in}.

    Args:
        objects: the categories that are objects; all else is background.
        erased: categories that were objects and became background afterwards: their numbers are
            missing from the files.
    """

    def __init__(self, objects: Iterable[int], *, erased: Iterable[int] = ()) -> None:
        self.categories: dict[int, int] = {}
        self.frames: dict[int, list[str]] = {}
        self._numbers: dict[int, int] = {}
        self._objects, self._erased = frozenset(objects), frozenset(erased)

    def paint(self, frame: PanopticFrame, name: str, *, admit: bool = True) -> np.ndarray:
        """Object numbers uint8 [H, W] of the next frame, whose file is called ``name``.

        Without ``admit`` things that were not seen before are background.
        """
        labels = np.zeros(frame.ids.shape, np.uint8)
        for segment_id, segment in sorted(frame.segments.items()):
            if segment.category in self._objects | self._erased and admit:
                self._numbers.setdefault(segment_id, len(self._numbers) + 1)
            number = self._numbers.get(segment_id)
            if number is None or segment.category in self._erased:
                continue
            labels[frame.ids == segment_id] = number
            self.categories[number] = segment.category
            self.frames.setdefault(number, []).append(name)
        return labels


def paint_values(ids: np.ndarray, values: dict[int, int], dtype: Any, *, void: int) -> np.ndarray:
    """Replace segment ids int32 [H, W] by ``values[id]``, and those without one by ``void``."""
    painted = np.full(ids.shape, void, dtype)
    for segment_id, value in values.items():
        painted[ids == segment_id] = value
    return painted


def save_picture(path: Path, image: np.ndarray) -> None:
    """Write uint8 [H, W, 3] as JPEG or PNG, as the name says; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # No chroma subsampling: it would smear the colours of small things over their rims.
    options = {"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {}
    Image.fromarray(image).save(path, **options)


def save_labels(path: Path, labels: np.ndarray) -> None:
    """Write uint8 or uint16 [H, W], or uint8 [H, W, 3], as PNG; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels).save(path)
