"""Starts the processes of a job: one per GPU, or as many as asked for on the CPU."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from datetime import timedelta

import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from . import comm

__all__ = ["launch"]

DEFAULT_TIMEOUT = timedelta(minutes=30)


def launch(
    main_func: Callable,
    num_gpus_per_machine: int,
    num_machines: int = 1,
    machine_rank: int = 0,
    dist_url: str | None = None,
    args: tuple = (),
    timeout: timedelta = DEFAULT_TIMEOUT,
) -> None:
    """Call ``main_func(*args)``, in this process when one is enough, otherwise in spawned ones.

    Args:
        main_func: a function of a module, since it is pickled for the spawned processes.
        num_gpus_per_machine: processes on each machine; 0 and 1 stay in this process.
        num_machines: machines; the same command runs on each.
        machine_rank: which of them this is.
        dist_url: where processes meet, ``tcp://host:port``; ``auto`` picks a free port of this one
            machine.
        args: of ``main_func``.
        timeout: of collective operations.
    """
    world_size = num_machines * num_gpus_per_machine
    if world_size <= 1:
        main_func(*args)
        return
    if dist_url == "auto":
        if num_machines > 1:
            raise AssertionError("dist_url 'auto' works on one machine only, give tcp://host:port")
        dist_url = f"tcp://127.0.0.1:{_free_port()}"
    mp.start_processes(
        _worker,
        nprocs=num_gpus_per_machine,
        args=(main_func, world_size, num_gpus_per_machine, machine_rank, dist_url, args, timeout),
        daemon=False,
    )


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def _worker(
    local_rank: int,
    main_func: Callable,
    world_size: int,
    processes_per_machine: int,
    machine_rank: int,
    dist_url: str,
    args: tuple,
    timeout: timedelta,
) -> None:
    has_gpu = torch.cuda.is_available()
    if has_gpu and processes_per_machine > torch.cuda.device_count():
        raise AssertionError(
            f"expected at most {torch.cuda.device_count()} processes, one per GPU of this machine, "
            f"got {processes_per_machine}"
        )
    try:
        dist.init_process_group(
            backend="nccl" if has_gpu else "gloo",
            init_method=dist_url,
            world_size=world_size,
            rank=machine_rank * processes_per_machine + local_rank,
            timeout=timeout,
        )
    except Exception:
        logging.getLogger("detectron2.engine.launch").error("Process group URL: %s", dist_url)
        raise
    comm.create_local_process_group(processes_per_machine)
    if has_gpu:
        torch.cuda.set_device(local_rank)
    comm.synchronize()  # nobody starts before all are connected
    main_func(*args)
