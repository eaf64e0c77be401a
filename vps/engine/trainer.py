"""VPSTrainer: Detectron2's DefaultTrainer, fed with clips, exact in its resume, safe in its files.

What it adds to the DefaultTrainer of the host:

* loaders of clips and videos, the evaluators of a data set, SGD or AdamW
  (``vps.engine.optimizer``);
* a run of N iterations equals, bit for bit on the CPU (with the same number of threads, which
  decides the order of sums), a run that is stopped anywhere and resumed to N: the loader goes on at
  the sample where the checkpoint stands, and random numbers depend on seed, iteration and process
  alone (``vps.engine.randomness``);
* checkpoints of ``vps.engine.checkpoint``, and averaged weights (``vps.engine.averaging``);
* distributed training on CPUs (gloo) as on GPUs; mixed precision on GPUs only.
"""

from __future__ import annotations

import logging
import os
import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import LRScheduler

import vps.modeling  # noqa: F401  (registers the models)
from vps.d2.config import CfgNode
from vps.d2.engine import (
    AMPTrainer,
    DefaultTrainer,
    HookBase,
    SimpleTrainer,
    TrainerBase,
    create_ddp_model,
    hooks,
)
from vps.d2.evaluation import DatasetEvaluator
from vps.d2.utils import comm, setup_logger
from vps.data import build_test_loader, build_train_loader, warn_of_leakage
from vps.engine.averaging import AverageAfterStep, AveragedWeights
from vps.engine.checkpoint import SafeCheckpointer, describe_run, remove_leftovers
from vps.engine.evaluators import build_evaluator
from vps.engine.hooks import (
    BestWeights,
    FiniteLosses,
    SmoothedHistory,
    UnscaledGradients,
    forget_metrics_from,
)
from vps.engine.optimizer import build_optimizer
from vps.engine.randomness import SeededBatches, seed_generators, with_seed
from vps.engine.schedule import build_lr_scheduler

logger = logging.getLogger(__name__)


class VPSTrainer(DefaultTrainer):
    """Trains any meta-architecture that keeps the contract: clip samples in, a dict of losses out.

    ``cfg.SEED`` < 0 means: draw a seed now; checkpoints keep it, and a resumed run goes on with it.
    A seed >= 0 in the config always wins.
    """

    def __init__(self, cfg: CfgNode) -> None:
        TrainerBase.__init__(self)  # and not DefaultTrainer's, whose DDP asks for a GPU
        for name in ("detectron2", "vps"):  # of the host, of ours
            if not logging.getLogger(name).isEnabledFor(logging.INFO):
                setup_logger(name=name)  # the tool has not done it
        cfg = self.auto_scale_workers(cfg, comm.get_world_size())
        self._seed_is_drawn = cfg.SEED < 0
        self.cfg = with_seed(cfg)
        self.start_iter = 0
        self.max_iter = self.cfg.SOLVER.MAX_ITER

        seed_generators(self.cfg.SEED)  # the same initial weights whatever was done before
        model = self.build_model(self.cfg)
        optimizer = self.build_optimizer(self.cfg, model)
        losses = FiniteLosses(model)
        self._average = _averaged_weights(self.cfg, model)
        model = _distribute(self.cfg, model)
        self._trainer = _step_class(self.cfg)(model, self._batches(), optimizer)
        mixed = isinstance(self._trainer, AMPTrainer)
        # The host calls after_backward on this one.
        self._trainer.register_hooks([losses, UnscaledGradients() if mixed else None])
        self.scheduler = self.build_lr_scheduler(self.cfg, optimizer)
        self.checkpointer = SafeCheckpointer(
            model,
            self.cfg.OUTPUT_DIR,
            metadata=describe_run(self.cfg),
            average=self._average,
            trainer=weakref.proxy(self),
        )
        self.register_hooks(self.build_hooks())

    def resume_or_load(self, resume: bool = True) -> None:
        """Go on from the newest complete checkpoint in ``OUTPUT_DIR``, if ``resume`` and there is
        one; otherwise start at iteration 0 from ``MODEL.WEIGHTS``.

        Raises:
            InputError: the weights are missing, broken, or not of the configured model.
        """
        checkpoint = self.checkpointer.find_on_all_processes() if resume else ""
        if not checkpoint:
            self.checkpointer.load(self.cfg.MODEL.WEIGHTS, checkpointables=[])
        else:
            self.checkpointer.load(checkpoint)
        if self._average is not None and not self._average.updates:
            self._average.restart()  # from the weights that are there now
        if not checkpoint:
            return
        self.start_iter = self.iter + 1  # the checkpoint stores the iteration that it finished
        self._trainer.data_loader = self._batches()
        if comm.is_main_process():
            remove_leftovers(self.cfg.OUTPUT_DIR)
            forget_metrics_from(os.path.join(self.cfg.OUTPUT_DIR, "metrics.json"), self.start_iter)

    def train(self) -> dict[str, Any] | None:
        """Train to ``SOLVER.MAX_ITER``; returns the last scores ({} if there are no sets to
        evaluate), and None in processes other than the main one.
        """
        super().train()
        return getattr(self, "_last_eval_results", None) if comm.is_main_process() else None

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "seed": self.cfg.SEED}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(self._with_grad_scaler(state_dict))
        stored = state_dict.get("seed", self.cfg.SEED)  # Detectron2's own checkpoints have none
        if self._seed_is_drawn:
            self.cfg = with_seed(self.cfg, stored)
            self.checkpointer.metadata = describe_run(self.cfg)
        elif stored != self.cfg.SEED:
            logger.warning(
                "The checkpoint was trained with SEED %d, the config says %d: going on with the "
                "config's, so samples and random numbers are others",
                stored,
                self.cfg.SEED,
            )

    def _with_grad_scaler(self, state_dict: dict[str, Any]) -> dict[str, Any]:
        """A run that began in full precision goes on in mixed precision with a new scaler."""
        state = state_dict["_trainer"]
        if not isinstance(self._trainer, AMPTrainer) or state.get("grad_scaler"):
            return state_dict
        scaler = self._trainer.grad_scaler.state_dict()
        return {**state_dict, "_trainer": {**state, "grad_scaler": scaler}}

    def _batches(self) -> SeededBatches:
        # The loader starts no worker before its first batch, so it may be made twice.
        loader = self.build_train_loader(self.cfg, start_iteration=self.start_iter)
        return SeededBatches(loader, seed=self.cfg.SEED, start_iteration=self.start_iter)

    def build_hooks(self) -> list[HookBase]:
        """Detectron2's hooks, and ours. ``TEST.BEST_METRIC`` asks for the best weights."""
        result = [SmoothedHistory(), *super().build_hooks()]
        if self._average is not None:
            # First, so that what saves and what evaluates sees the average of this step.
            result.insert(0, AverageAfterStep(self._average))
            place = [isinstance(hook, hooks.EvalHook) for hook in result].index(True)
            result[place] = hooks.EvalHook(self.cfg.TEST.EVAL_PERIOD, self._test_average)
        if self.cfg.TEST.BEST_METRIC and comm.is_main_process():
            after = [isinstance(hook, hooks.EvalHook) for hook in result].index(True) + 1
            test = self.cfg.TEST
            result.insert(after, BestWeights(test.EVAL_PERIOD, self.checkpointer, test.BEST_METRIC))
        return result

    def _test_average(self) -> dict[str, Any]:
        with self._average.applied():
            self._last_eval_results = self.test(self.cfg, self.model)
        return self._last_eval_results

    @classmethod
    def build_model(cls, cfg: CfgNode) -> nn.Module:
        """The registered meta-architecture, on its device and in the wanted memory format."""
        model = super().build_model(cfg)
        return model.to(memory_format=torch.channels_last) if cfg.MODEL.CHANNELS_LAST else model

    @classmethod
    def build_optimizer(cls, cfg: CfgNode, model: nn.Module) -> torch.optim.Optimizer:
        return build_optimizer(cfg, model)

    @classmethod
    def build_lr_scheduler(cls, cfg: CfgNode, optimizer: torch.optim.Optimizer) -> LRScheduler:
        return build_lr_scheduler(cfg, optimizer)

    @classmethod
    def build_train_loader(cls, cfg: CfgNode, start_iteration: int = 0) -> Iterable[Any]:
        """An endless iterable of lists of clip samples, from those of ``start_iteration`` on."""
        return build_train_loader(cfg, start_iteration=start_iteration)

    @classmethod
    def build_test_loader(cls, cfg: CfgNode, dataset_name: str) -> Iterable[Any]:
        """An iterable of lists of video records: this process's share of the data set."""
        return build_test_loader(cfg, dataset_name)

    @classmethod
    def build_evaluator(
        cls, cfg: CfgNode, dataset_name: str, output_folder: str | None = None
    ) -> DatasetEvaluator:
        """As the data set and TEST.EVALUATORS say (``vps.engine.evaluators``)."""
        return build_evaluator(cfg, dataset_name, output_folder)

    @classmethod
    def test(cls, cfg: CfgNode, model: nn.Module, evaluators: Any = None) -> dict[str, Any]:
        """Scores of ``model`` on every set of ``DATASETS.TEST``, as Detectron2's."""
        warn_of_leakage(cfg.DATASETS.TRAIN, cfg.DATASETS.TEST)
        if isinstance(model, DistributedDataParallel):
            _copy_buffers_from_main_process(model.module)
        return super().test(cfg, model, evaluators)


def _step_class(cfg: CfgNode) -> type[SimpleTrainer]:
    if not cfg.SOLVER.AMP.ENABLED:
        return SimpleTrainer
    if torch.device(cfg.MODEL.DEVICE).type == "cuda":
        return AMPTrainer
    logger.warning("SOLVER.AMP.ENABLED needs a GPU; training in full precision on the CPU")
    return SimpleTrainer


def _averaged_weights(cfg: CfgNode, model: nn.Module) -> AveragedWeights | None:
    if not cfg.SOLVER.EMA.ENABLED:
        return None
    steps = cfg.SOLVER.EMA.SPAN * cfg.SOLVER.MAX_ITER
    return AveragedWeights(model, decay=1 - 1 / max(steps, 1.0))


def _distribute(cfg: CfgNode, model: nn.Module) -> nn.Module:
    on_cpu = torch.device(cfg.MODEL.DEVICE).type == "cpu"
    return create_ddp_model(
        model,
        broadcast_buffers=False,
        find_unused_parameters=cfg.SOLVER.FIND_UNUSED_PARAMETERS,
        **({"device_ids": None} if on_cpu else {}),
    )


def _copy_buffers_from_main_process(model: nn.Module) -> None:
    # Each process has its own running statistics of batch normalisation, and checkpoints keep the
    # main process's: only with those is the score the one of the saved weights.
    for buffer in model.buffers():
        torch.distributed.broadcast(buffer, 0)
