"""One command, one or many processes: where a tool's work is run.

Three ways to start a tool lead here:

* ``tool.py ...``: this process does the work;
* ``tool.py --num-gpus 8 ...`` (and ``--num-machines``, ``--machine-rank``, ``--dist-url``): the
  host starts one process per GPU, as Detectron2's tools do;
* ``torchrun --nproc_per_node 8 tool.py ...``: the processes are there already and are joined to one
  group. This is the way to several processes on CPUs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.distributed as dist

from vps.d2.engine import launch
from vps.d2.utils import comm
from vps.structures import INPUT_ERROR_STATUS, InputError


def run_tool(
    work: Callable[[argparse.Namespace], Any], args: argparse.Namespace, device: str
) -> Any:
    """Do ``work(args)`` in every process that ``args`` or torchrun ask for.

    Args:
        work: a function at the top level of its module, since it may run in a new process.
        args: options of Detectron2's ``default_argument_parser``.
        device: ``cfg.MODEL.DEVICE``; decides how processes talk, NCCL on "cuda", gloo on "cpu".

    Returns:
        What ``work`` returns in this process; None where new processes did it.

    Raises:
        InputError: torch knows no such device, it is a GPU and there is none, or several processes
            are asked for on CPUs of a machine with GPUs.
    """
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise InputError(
            f"expected a device of torch for MODEL.DEVICE, say cpu or cuda, got {device!r}"
        ) from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise InputError(
            f"expected a GPU that torch can use for MODEL.DEVICE {device}, got none; add "
            "MODEL.DEVICE cpu, or see whether torch was built for this machine's driver"
        )
    if "RANK" in os.environ and "WORLD_SIZE" in os.environ:
        with _torchrun_group(device):
            return work(args)
    if args.num_gpus * args.num_machines <= 1:
        return work(args)
    if kind == "cpu" and torch.cuda.is_available():
        raise InputError(
            f"expected MODEL.DEVICE cuda with --num-gpus {args.num_gpus}, got cpu; to use several "
            f"processes on CPUs, run torchrun --nproc_per_node {args.num_gpus} instead"
        )
    launch(
        exit_on_input_error,
        args.num_gpus,
        num_machines=args.num_machines,
        machine_rank=args.machine_rank,
        dist_url=args.dist_url,
        args=(work, args),
    )
    return None


def exit_on_input_error(work: Callable[..., Any], *args: Any) -> Any:
    """``work(*args)``, but an InputError is printed as ``error: ...`` and ends the process with
    status 2.
    """
    try:
        return work(*args)
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(INPUT_ERROR_STATUS)
    except torch.multiprocessing.ProcessExitedException as error:
        if error.exit_code != INPUT_ERROR_STATUS:
            raise
        sys.exit(INPUT_ERROR_STATUS)  # the process that ended has said why


@contextlib.contextmanager
def _torchrun_group(device: str) -> Iterator[None]:
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if on_gpu else "gloo")
    try:
        comm.create_local_process_group(int(os.environ["LOCAL_WORLD_SIZE"]))
        comm.synchronize()
        yield
    finally:
        dist.destroy_process_group()
