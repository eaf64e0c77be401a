"""The start of a job: command line, log files, seeds, writers, distributed model."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import sys

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from . import comm
from .env import describe_environment, seed_all_rng
from .file_io import PathManager
from .logger import setup_logger
from .writers import CommonMetricPrinter, EventWriter, JSONWriter, TensorboardXWriter

__all__ = ["create_ddp_model", "default_argument_parser", "default_setup", "default_writers"]


def default_argument_parser(epilog: str | None = None) -> argparse.ArgumentParser:
    """The command line of training and evaluation; configs are overridden by trailing ``KEY
    VALUE`` pairs.

    Args:
        epilog: text at the end of ``--help``; None means examples.
    """
    program = sys.argv[0]
    parser = argparse.ArgumentParser(
        epilog=epilog
        or f"""
Examples:

One machine, eight GPUs:
    $ {program} --num-gpus 8 --config-file cfg.yaml

Other values than the file's:
    $ {program} --config-file cfg.yaml MODEL.WEIGHTS weights.pth SOLVER.BASE_LR 0.001

Two machines:
    (first)$ {program} --machine-rank 0 --num-machines 2 --dist-url <URL> [other flags]
    (second)$ {program} --machine-rank 1 --num-machines 2 --dist-url <URL> [other flags]
""",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--config-file", default="", metavar="FILE", help="path to config file")
    add(
        "--resume",
        action="store_true",
        help="continue from the last checkpoint of OUTPUT_DIR, where there is one",
    )
    add("--eval-only", action="store_true", help="evaluate, do not train")
    add("--num-gpus", type=int, default=1, help="number of GPUs *per machine*")
    add("--num-machines", type=int, default=1, help="number of machines")
    add("--machine-rank", type=int, default=0, help="which of the machines this is, from 0")
    # One port per user, not a random one: processes that a killed job has left behind then show up
    # as a taken port.
    user = os.getuid() if hasattr(os, "getuid") else 1
    add(
        "--dist-url",
        default=f"tcp://127.0.0.1:{2**15 + 2**14 + hash(user) % 2**14}",
        help="where the processes of a distributed job meet",
    )
    add(
        "opts",
        nargs=argparse.REMAINDER,
        default=None,
        help="config keys and values, 'PATH.KEY VALUE', after all flags",
    )
    return parser


def default_setup(cfg, args: argparse.Namespace) -> None:
    """Log files, environment, a copy of the config, seeds and backend settings, as the config says.

    Writes ``OUTPUT_DIR/log.txt`` (``log.txt.rankN`` in other processes) and
    ``OUTPUT_DIR/config.yaml``.

    Args:
        cfg: the full config.
        args: the command line; ``config_file`` and ``eval_only`` are read where they exist.
    """
    output_dir, rank = cfg.OUTPUT_DIR, comm.get_rank()
    if comm.is_main_process() and output_dir:
        PathManager.mkdirs(output_dir)
    setup_logger(output_dir, distributed_rank=rank, name="fvcore")
    logger = setup_logger(output_dir, distributed_rank=rank)
    logger.info("Rank of current process: %d. World size: %d", rank, comm.get_world_size())
    logger.info("Environment info:\n%s", describe_environment())
    logger.info("Command line arguments: %s", args)
    config_file = getattr(args, "config_file", "")
    if config_file:
        with PathManager.open(config_file, "r") as file:
            logger.info("Contents of args.config_file=%s:\n%s", config_file, file.read())
    if comm.is_main_process() and output_dir:
        path = os.path.join(output_dir, "config.yaml")
        text = cfg.dump()
        logger.info("Running with full config:\n%s", text)
        with PathManager.open(path, "w") as file:
            file.write(text)
        logger.info("Full config saved to %s", path)

    # each process its own seed, but the same one in each run
    seed_all_rng(None if cfg.SEED < 0 else cfg.SEED + rank)
    if not getattr(args, "eval_only", False):
        torch.backends.cudnn.benchmark = cfg.CUDNN_BENCHMARK
    if cfg.FLOAT32_PRECISION:
        logger.info("Set fp32 precision to %s", cfg.FLOAT32_PRECISION)
        if torch.cuda.is_available():
            torch.set_float32_matmul_precision(cfg.FLOAT32_PRECISION)
            torch.backends.cudnn.allow_tf32 = cfg.FLOAT32_PRECISION != "highest"


def default_writers(output_dir: str, max_iter: int | None = None) -> list[EventWriter]:
    """Log lines, ``metrics.json``, and tensorboard files where tensorboard is installed.

    Args:
        output_dir: folder of the files; made where it is missing.
        max_iter: iterations of the whole training, for the ETA.
    """
    PathManager.mkdirs(output_dir)
    writers: list[EventWriter] = [
        CommonMetricPrinter(max_iter),
        JSONWriter(os.path.join(output_dir, "metrics.json")),
    ]
    if importlib.util.find_spec("tensorboard") is not None:
        writers.append(TensorboardXWriter(output_dir))
    else:
        logging.getLogger("detectron2.engine.defaults").info(
            "tensorboard is not installed, its event files are not written"
        )
    return writers


def create_ddp_model(model: nn.Module, *, fp16_compression: bool = False, **kwargs) -> nn.Module:
    """Make a model data-parallel over the processes; a single process gets it back as it is.

    Args:
        model: on its device already.
        fp16_compression: send gradients as float16.
        kwargs: further arguments of ``DistributedDataParallel``. Where ``device_ids`` is not among
            them, it is the process's own GPU, or None for a model on the CPU.
    """
    if comm.get_world_size() == 1:
        return model
    if "device_ids" not in kwargs:
        on_gpu = any(parameter.is_cuda for parameter in model.parameters())
        kwargs["device_ids"] = [comm.get_local_rank()] if on_gpu else None
    parallel = DistributedDataParallel(model, **kwargs)
    if fp16_compression:
        from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import fp16_compress_hook

        parallel.register_comm_hook(state=None, hook=fp16_compress_hook)
    return parallel
