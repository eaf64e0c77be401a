"""Which sample comes next: for training without end and without memory, for inference by video."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

# Draws of a sample's own chance use [seed, draw]; a third number keeps the orders apart from them.
_ORDER = 1


class ClipTrainingSampler(Sampler):
    """An endless stream of (item, draw): every item once per pass, in a new order each pass.

    Draw number d of the whole job is item ``order(pass d // num_items)[d % num_items]``; rank r of
    W gets the draws r, r + W, r + 2 W, ... So the stream is a function of the seed alone: it can
    start anywhere, and does not depend on the number of processes that share it.

    Args:
        num_items: number of different items.
        seed: >= 0, the same in all ranks.
        rank, world_size: which share of the stream to give.
        start: number of draws of the whole job that were made before.
    """

    def __init__(
        self, num_items: int, *, seed: int, rank: int = 0, world_size: int = 1, start: int = 0
    ) -> None:
        if num_items < 1:
            raise ValueError(f"expected at least one item, got {num_items}")
        if not 0 <= rank < world_size or start < 0:
            raise ValueError(f"expected a rank in 0..{world_size - 1} and a start >= 0")
        self._num_items, self._seed = num_items, seed
        self._rank, self._world_size, self._start = rank, world_size, start

    def __iter__(self) -> Iterator[tuple[int, int]]:
        draw = self._start + (self._rank - self._start) % self._world_size
        current, order = -1, None
        while True:
            number, place = divmod(draw, self._num_items)
            if number != current:
                rng = np.random.default_rng([self._seed, number, _ORDER])
                current, order = number, rng.permutation(self._num_items)
            yield int(order[place]), draw
            draw += self._world_size


class VideoInferenceSampler(Sampler):
    """Videos rank, rank + W, rank + 2 W, ...: each video is whole and with one rank.

    With fewer videos than ranks, some ranks get none.
    """

    def __init__(self, num_videos: int, *, rank: int = 0, world_size: int = 1) -> None:
        self._indices = range(rank, num_videos, world_size)

    def __iter__(self) -> Iterator[int]:
        return iter(self._indices)

    def __len__(self) -> int:
        return len(self._indices)
