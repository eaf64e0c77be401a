"""Random numbers that depend on where training stands, not on how it came there.

Training that is resumed must go on as if it had never stopped, bit for bit. Storing the state of
every generator of every process would do it, but Python's, numpy's and torch's states (and one per
GPU) are large, and a checkpoint would fit one number of processes only. Instead all generators are
seeded anew before every step from (seed, iteration, rank): a function of things that a resumed run
knows. The order of the training samples needs no state either: each is drawn from (seed, number of
the draw).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch

from vps.d2.config import CfgNode
from vps.d2.utils import comm


def seed_generators(seed: int, *position: int) -> None:
    """Seed Python's, numpy's and torch's generators (the GPUs' included) with a mix of all numbers.

    Args:
        seed, position: integers >= 0; tuples that differ anywhere give unrelated states.
    """
    words = np.random.SeedSequence((seed, *position)).generate_state(3)
    random.seed(int(words[0]))
    np.random.seed(int(words[1]))
    torch.manual_seed(int(words[2]))


class SeededBatches:
    """The batches of a loader; all generators are seeded just before each is handed out.

    Seeding belongs here, and not before the step, because starting a loader draws from torch's
    generator: a resumed run starts it at another iteration than the run that was never stopped.
    """

    def __init__(self, batches: Iterable[Any], *, seed: int, start_iteration: int = 0) -> None:
        """
        Args:
            batches: one per training step.
            seed: the run's seed, >= 0.
            start_iteration: the iteration that takes the first batch.
        """
        self.batches = batches
        self.seed = seed
        self.start_iteration = start_iteration

    def __iter__(self) -> Iterator[Any]:
        for iteration, batch in enumerate(self.batches, self.start_iteration):
            seed_generators(self.seed, iteration, comm.get_rank())
            yield batch


def with_seed(cfg: CfgNode, seed: int | None = None) -> CfgNode:
    """A copy of ``cfg`` whose ``SEED`` is a number >= 0.

    Args:
        seed: the number; None keeps the config's, or, where that is negative, draws one that is the
            same in all processes.
    """
    if seed is None:
        seed = cfg.SEED if cfg.SEED >= 0 else comm.shared_random_seed()
    frozen, cfg = cfg.is_frozen(), cfg.clone()
    cfg.defrost()
    cfg.SEED = int(seed)
    if frozen:
        cfg.freeze()
    return cfg
