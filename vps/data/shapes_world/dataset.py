"""Writing of Shapes-VPS to disk: one split = many small worlds in the panoptic video layout."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vps.data.panoptic_video_files import SourceFrame, VideoEntry, write_index, write_video
from vps.data.shapes_world.categories import SHAPES_CATEGORIES
from vps.data.shapes_world.world import ShapesWorld
from vps.io import atomic_folder
from vps.structures import InputError


@dataclass(frozen=True)
class ShapesSplit:
    """What one split of the data set consists of.

    Attributes:
        seed: ints >= 0; video v is the world of the seed (*seed, v). Splits need different seeds.
        videos, frames: number of videos and of frames in each.
        height, width: of the frames, in pixels.
        things: fewest and most things in a video.
        labelled_every: frame t is labelled where t is a multiple of this.
    """

    seed: tuple[int, ...]
    videos: int = 100
    frames: int = 8
    height: int = 128
    width: int = 192
    things: tuple[int, int] = (4, 8)
    labelled_every: int = 1

    def __post_init__(self) -> None:
        for field in ("videos", "frames", "labelled_every"):
            if getattr(self, field) < 1:
                raise InputError(f"expected {field} >= 1, got {getattr(self, field)}")
        if min(self.seed) < 0:
            raise InputError(f"expected a seed >= 0, got {min(self.seed)}")
        if not 0 <= self.things[0] <= self.things[1]:
            raise InputError(f"expected things as FEWEST <= MOST, got {self.things}")


def write_shapes_split(
    folder: str | os.PathLike,
    split: ShapesSplit,
    *,
    workers: int = 1,
    progress: Callable[[], object] = lambda: None,
) -> None:
    """Write a split to ``folder``, which appears when all of it is there.

    Args:
        folder: replaced if it exists; a split that cannot be finished leaves the old one.
        split: what to write. The same split gives the same bytes, whatever ``workers`` is.
        workers: number of processes.
        progress: called after every video.
    """
    with atomic_folder(folder) as root, _pool(workers) as pool:
        entries = []
        write = partial(_write_world, root, split)
        for entry in (map if pool is None else pool.map)(write, range(split.videos)):
            entries.append(entry)
            progress()
        write_index(root, SHAPES_CATEGORIES, entries)


def _pool(workers: int) -> Executor | nullcontext:
    return ProcessPoolExecutor(workers) if workers > 1 else nullcontext()


def open_world(split: ShapesSplit, video: int) -> ShapesWorld:
    """The world of video number ``video``."""
    fewest, most = split.things
    return ShapesWorld(
        (*split.seed, video),
        height=split.height,
        width=split.width,
        things=fewest + video % (most - fewest + 1),
    )


def _write_world(root: Path, split: ShapesSplit, video: int) -> VideoEntry:
    """Write video number ``video``."""
    world = open_world(split, video)

    def frames():
        for t in range(split.frames):
            image, truth = world.render(t)
            labelled = t % split.labelled_every == 0
            yield SourceFrame(truth.frame_id, image, truth if labelled else None)

    return write_video(root, f"{video:04d}", frames(), SHAPES_CATEGORIES)
