"""Talk between the processes of a distributed job.

Every function works without a process group too: then there is one process, rank 0 of 1. Objects
travel pickled over a gloo group, so that gathering results costs no GPU memory.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

__all__ = [
    "all_gather",
    "create_local_process_group",
    "gather",
    "get_local_rank",
    "get_local_size",
    "get_rank",
    "get_world_size",
    "is_main_process",
    "reduce_dict",
    "shared_random_seed",
    "synchronize",
]

_local_group = None


def _is_distributed() -> bool:
    return dist.is_available() and dist.is_initialized()


def get_world_size() -> int:
    """Number of processes."""
    return dist.get_world_size() if _is_distributed() else 1


def get_rank() -> int:
    """Number of this process among all."""
    return dist.get_rank() if _is_distributed() else 0


def is_main_process() -> bool:
    """Whether this process is the one that writes files and reports."""
    return get_rank() == 0


@functools.lru_cache(maxsize=1)
def create_local_process_group(num_workers_per_machine: int) -> None:
    """Make the group of the processes on this machine. All processes must call it, after
    ``init_process_group``.

    ``launch()`` calls it; who starts processes in another way (torchrun) calls it by hand.
    """
    global _local_group
    world_size = get_world_size()
    if world_size % num_workers_per_machine:
        raise AssertionError(
            f"expected a world size divisible by the {num_workers_per_machine} processes of each "
            f"machine, got {world_size}"
        )
    machine_of_rank = get_rank() // num_workers_per_machine
    for machine in range(world_size // num_workers_per_machine):
        first = machine * num_workers_per_machine
        # new_group is collective: every process makes every group and keeps its own
        group = dist.new_group(list(range(first, first + num_workers_per_machine)))
        if machine == machine_of_rank:
            _local_group = group


def _get_local_group():
    if _local_group is None:
        raise AssertionError(
            "the group of this machine's processes does not exist yet; start the job with "
            "launch(), or call comm.create_local_process_group(num_workers_per_machine) after "
            "init_process_group()"
        )
    return _local_group


def get_local_rank() -> int:
    """Number of this process among those of its machine."""
    return dist.get_rank(group=_get_local_group()) if _is_distributed() else 0


def get_local_size() -> int:
    """Number of processes on this machine."""
    return dist.get_world_size(group=_get_local_group()) if _is_distributed() else 1


def synchronize() -> None:
    """Wait until every process is here."""
    if get_world_size() == 1:
        return
    if dist.get_backend() == dist.Backend.NCCL:
        dist.barrier(device_ids=[torch.cuda.current_device()])
    else:
        dist.barrier()


@functools.lru_cache(maxsize=1)
def _gloo_group():
    return dist.new_group(backend="gloo") if dist.get_backend() == "nccl" else dist.group.WORLD


def all_gather(data: Any, group=None) -> list[Any]:
    """``data`` of every process, in the order of ranks, on every process. ``data``: anything
    that pickles.
    """
    if get_world_size() == 1:
        return [data]
    group = group or _gloo_group()
    gathered = [None] * dist.get_world_size(group)
    dist.all_gather_object(gathered, data, group=group)
    return gathered


def gather(data: Any, dst: int = 0, group=None) -> list[Any]:
    """``data`` of every process, in the order of ranks, on process ``dst``; an empty list
    elsewhere.
    """
    if get_world_size() == 1:
        return [data]
    group = group or _gloo_group()
    if dist.get_rank(group=group) != dst:
        dist.gather_object(data, None, dst=dst, group=group)
        return []
    gathered = [None] * dist.get_world_size(group)
    dist.gather_object(data, gathered, dst=dst, group=group)
    return gathered


def shared_random_seed() -> int:
    """A random number in [0, 2^31) that is the same in every process; all of them must call it."""
    return all_gather(int(np.random.randint(2**31)))[0]


def reduce_dict(input_dict: dict[str, torch.Tensor], average: bool = True) -> dict:
    """Sum (or mean) of scalar tensors over all processes; the result is right on rank 0 only."""
    world_size = get_world_size()
    if world_size == 1:
        return input_dict
    with torch.no_grad():
        names = sorted(input_dict)  # the same order in every process
        values = torch.stack([input_dict[name] for name in names])
        dist.reduce(values, dst=0)
        if average and get_rank() == 0:
            values /= world_size
        return dict(zip(names, values))
