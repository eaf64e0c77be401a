#!/usr/bin/env python
"""Train a model, or score one, as its config file says.

    tools/train_net.py --config-file configs/shapes_vps/vpsnet_track_R_18.yaml
    tools/train_net.py --config-file ... --resume                    # go on where it stopped
    tools/train_net.py --config-file ... --eval-only MODEL.WEIGHTS output/model_final.pth
    tools/train_net.py --config-file ... --num-gpus 8 SOLVER.IMS_PER_BATCH 16
    torchrun --nproc_per_node 2 tools/train_net.py --config-file ... MODEL.DEVICE cpu

The options are those of Detectron2's tool of this name; ``KEY VALUE`` pairs come last and override
the config file. Bad input ends with one line, ``error: ...``, and exit status 2.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from vps.config import load_config
from vps.d2.config import CfgNode
from vps.d2.engine import default_argument_parser, default_setup
from vps.d2.evaluation import verify_results
from vps.d2.utils import comm, setup_logger
from vps.engine import SafeCheckpointer, VPSTrainer, describe_run, exit_on_input_error, run_tool
from vps.structures import InputError


def main(argv: Sequence[str] | None = None) -> dict[str, Any] | None:
    """Run the tool in this process, or start the processes that do.

    Args:
        argv: the command line without the program's name; None = ``sys.argv``.

    Returns:
        {task: {metric: value}} after ``--eval-only``, and after a training that ended with an
        evaluation; None in processes other than the main one, and where new ones were started.

    Raises:
        InputError: an option, a key, a file or weights cannot be used.
    """
    args = default_argument_parser().parse_args(argv)
    if not args.config_file:
        raise InputError("expected --config-file FILE, got none; configs/ holds some")
    # Read here as well as in the processes, so that a wrong key is told once and at once.
    device = load_config(args.config_file, args.opts).MODEL.DEVICE
    return run_tool(train_or_evaluate, args, device)


def train_or_evaluate(args: argparse.Namespace) -> dict[str, Any] | None:
    """The work of one process."""
    cfg = load_config(args.config_file, args.opts)
    default_setup(cfg, args)
    setup_logger(cfg.OUTPUT_DIR, distributed_rank=comm.get_rank(), name="vps")
    if args.eval_only:
        return evaluate(cfg, resume=args.resume)
    trainer = VPSTrainer(cfg)
    trainer.resume_or_load(resume=args.resume)
    return trainer.train()


def evaluate(cfg: CfgNode, *, resume: bool) -> dict[str, Any] | None:
    """Scores of the last checkpoint in ``OUTPUT_DIR`` if ``resume``, else of ``MODEL.WEIGHTS``."""
    model = VPSTrainer.build_model(cfg)
    checkpointer = SafeCheckpointer(model, cfg.OUTPUT_DIR, metadata=describe_run(cfg))
    if not cfg.MODEL.WEIGHTS and not (resume and checkpointer.has_checkpoint()):
        raise InputError(
            "expected weights to evaluate, got none; give MODEL.WEIGHTS FILE, or --resume for the "
            f"last checkpoint in {cfg.OUTPUT_DIR}"
        )
    checkpointer.resume_or_load(cfg.MODEL.WEIGHTS, resume=resume, strict=True)
    results = VPSTrainer.test(cfg, model)
    if not comm.is_main_process():
        return None
    verify_results(cfg, results)
    return results


if __name__ == "__main__":
    exit_on_input_error(main)
