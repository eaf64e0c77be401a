"""The environment of a run: seeds, and a table of what it runs on."""

from __future__ import annotations

import logging
import os
import platform
import random
import sys
import time

import numpy as np
import torch
from tabulate import tabulate

__all__ = ["describe_environment", "seed_all_rng"]


def seed_all_rng(seed: int | None = None) -> None:
    """Seed the random numbers of torch, numpy and Python; None draws a seed and logs it."""
    if seed is None:
        seed = (os.getpid() + time.time_ns() + int.from_bytes(os.urandom(2), "big")) % 2**31
        logging.getLogger("detectron2.utils.env").info("Using a generated random seed %d", seed)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)  # every CUDA device included
    os.environ["PYTHONHASHSEED"] = str(seed)  # for child processes


def describe_environment() -> str:
    """A table of versions and devices, for the head of a log."""
    from importlib.metadata import PackageNotFoundError, version

    rows = [("host", "lean (no Detectron2)"), ("Python", sys.version.split()[0])]
    rows += [("platform", platform.platform()), ("numpy", np.__version__)]
    for package in ("torch", "torchvision", "fvcore", "iopath"):
        try:
            rows.append((package, version(package)))
        except PackageNotFoundError:
            rows.append((package, "not installed"))
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            rows.append((f"GPU {index}", torch.cuda.get_device_name(index)))
    else:
        rows.append(("GPU", "none"))
    rows.append(("threads", str(torch.get_num_threads())))
    return tabulate(rows)
