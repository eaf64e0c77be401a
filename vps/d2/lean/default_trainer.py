"""The trainer that a config describes: model, optimizer, loader, schedule, checkpoints,
evaluation, logs.

A project subclasses it and overrides the ``build_*`` methods; this host has no data loaders of its
own, so ``build_train_loader`` and ``build_test_loader`` must be overridden.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from . import comm, hooks
from .amp_trainer import AMPTrainer
from .checkpoint import DetectionCheckpointer
from .evaluation import DatasetEvaluator, inference_on_dataset
from .logger import setup_logger
from .lr_scheduler import build_lr_scheduler
from .modeling import build_model
from .optimizer import build_optimizer
from .results import print_csv_format, verify_results
from .setup import create_ddp_model, default_writers
from .train_loop import HookBase, SimpleTrainer, TrainerBase
from .writers import EventWriter

__all__ = ["DefaultTrainer"]

logger = logging.getLogger("detectron2.engine.defaults")


class DefaultTrainer(TrainerBase):
    """Trains what ``cfg`` describes. ``_trainer`` runs the steps; this class builds the parts and
    the hooks.

    ::

        trainer = Trainer(cfg)
        trainer.resume_or_load(resume=args.resume)
        trainer.train()

    Attributes: ``cfg``, ``model``, ``optimizer``, ``data_loader``, ``scheduler``, ``checkpointer``.
    """

    def __init__(self, cfg) -> None:
        """``cfg``: the full config; ``SOLVER.REFERENCE_WORLD_SIZE`` may rescale it."""
        super().__init__()
        if not logging.getLogger("detectron2").isEnabledFor(logging.INFO):
            setup_logger()  # default_setup was not called
        cfg = DefaultTrainer.auto_scale_workers(cfg, comm.get_world_size())
        model = self.build_model(cfg)
        optimizer = self.build_optimizer(cfg, model)
        data_loader = self.build_train_loader(cfg)
        model = create_ddp_model(model, broadcast_buffers=False)
        trainer_class = AMPTrainer if cfg.SOLVER.AMP.ENABLED else SimpleTrainer
        self._trainer = trainer_class(model, data_loader, optimizer)
        self.scheduler = self.build_lr_scheduler(cfg, optimizer)
        self.checkpointer = DetectionCheckpointer(
            model, cfg.OUTPUT_DIR, trainer=weakref.proxy(self)
        )
        self.start_iter = 0
        self.max_iter = cfg.SOLVER.MAX_ITER
        self.cfg = cfg
        self.register_hooks(self.build_hooks())

    @property
    def model(self) -> nn.Module:
        """The model in training, wrapped where training is distributed."""
        return self._trainer.model

    @model.setter
    def model(self, value: nn.Module) -> None:
        self._trainer.model = value

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The optimizer."""
        return self._trainer.optimizer

    @optimizer.setter
    def optimizer(self, value: torch.optim.Optimizer) -> None:
        self._trainer.optimizer = value

    @property
    def data_loader(self) -> Iterable:
        """The training loader."""
        return self._trainer.data_loader

    @data_loader.setter
    def data_loader(self, value: Iterable) -> None:
        self._trainer.data_loader = value

    def resume_or_load(self, resume: bool = True) -> None:
        """Continue from the last checkpoint of ``OUTPUT_DIR``, or load ``MODEL.WEIGHTS``.

        Args:
            resume: take up model, optimizer, schedule and iteration from the last checkpoint where
                there is one. Otherwise only weights are loaded, and training starts at iteration
                0.
        """
        self.checkpointer.resume_or_load(self.cfg.MODEL.WEIGHTS, resume=resume)
        if resume and self.checkpointer.has_checkpoint():
            self.start_iter = self.iter + 1  # the checkpoint names the last iteration that was done

    def build_hooks(self) -> list[HookBase | None]:
        """The hooks: timer, schedule, checkpoints, evaluation, writers; in this order."""
        cfg = self.cfg
        if cfg.TEST.PRECISE_BN.ENABLED:
            raise ValueError(
                "TEST.PRECISE_BN.ENABLED is set, but the lean host has no PreciseBN; unset it or "
                "install Detectron2"
            )

        def test_and_save_results() -> dict[str, Any]:
            self._last_eval_results = self.test(self.cfg, self.model)
            return self._last_eval_results

        main = comm.is_main_process()
        period = cfg.SOLVER.CHECKPOINT_PERIOD
        return [
            hooks.IterationTimer(),
            hooks.LRScheduler(),
            hooks.PeriodicCheckpointer(self.checkpointer, period) if main else None,
            hooks.EvalHook(cfg.TEST.EVAL_PERIOD, test_and_save_results),
            hooks.PeriodicWriter(self.build_writers(), period=20) if main else None,
        ]

    def build_writers(self) -> list[EventWriter]:
        """The writers of events, on the main process."""
        return default_writers(self.cfg.OUTPUT_DIR, self.max_iter)

    def train(self) -> dict[str, Any] | None:
        """Train from ``start_iter`` to ``max_iter``.

        Returns:
            the last evaluation's results, when ``TEST.EXPECTED_RESULTS`` asks for them to be
            verified.
        """
        super().train(self.start_iter, self.max_iter)
        if len(self.cfg.TEST.EXPECTED_RESULTS) and comm.is_main_process():
            if not hasattr(self, "_last_eval_results"):
                raise AssertionError("TEST.EXPECTED_RESULTS is set, but training ran no evaluation")
            verify_results(self.cfg, self._last_eval_results)
            return self._last_eval_results
        return None

    def run_step(self) -> None:
        """One iteration of the inner trainer."""
        self._trainer.iter = self.iter
        self._trainer.run_step()

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "_trainer": self._trainer.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._trainer.load_state_dict(state_dict["_trainer"])

    @classmethod
    def build_model(cls, cfg) -> nn.Module:
        """The model."""
        model = build_model(cfg)
        logger.info("Model:\n%s", model)
        return model

    @classmethod
    def build_optimizer(cls, cfg, model: nn.Module) -> torch.optim.Optimizer:
        """The optimizer."""
        return build_optimizer(cfg, model)

    @classmethod
    def build_lr_scheduler(cls, cfg, optimizer: torch.optim.Optimizer):
        """The learning-rate schedule."""
        return build_lr_scheduler(cfg, optimizer)

    @classmethod
    def build_train_loader(cls, cfg) -> Iterable:
        """The training loader, endless."""
        raise NotImplementedError(f"override build_train_loader() in {cls.__name__}")

    @classmethod
    def build_test_loader(cls, cfg, dataset_name: str) -> Iterable:
        """The loader of a test set, with a length."""
        raise NotImplementedError(f"override build_test_loader() in {cls.__name__}")

    @classmethod
    def build_evaluator(cls, cfg, dataset_name: str) -> DatasetEvaluator:
        """The evaluator, or evaluators, of a test set."""
        raise NotImplementedError(f"override build_evaluator() in {cls.__name__}")

    @classmethod
    def test(
        cls,
        cfg,
        model: nn.Module,
        evaluators: DatasetEvaluator | list[DatasetEvaluator] | None = None,
    ) -> dict[str, Any]:
        """Evaluate a model on every set of ``cfg.DATASETS.TEST``.

        Args:
            evaluators: one per set; None calls :meth:`build_evaluator`.

        Returns:
            data-set name -> results; with one set, its results themselves.
        """
        if isinstance(evaluators, DatasetEvaluator):
            evaluators = [evaluators]
        names = cfg.DATASETS.TEST
        if evaluators is not None and len(evaluators) != len(names):
            raise AssertionError(
                f"expected one evaluator per test set, got {len(evaluators)} for {len(names)}"
            )
        results: dict[str, Any] = {}
        for index, name in enumerate(names):
            loader = cls.build_test_loader(cfg, name)
            if evaluators is not None:
                evaluator = evaluators[index]
            else:
                try:
                    evaluator = cls.build_evaluator(cfg, name)
                except NotImplementedError:
                    logger.warning("No evaluator for %s: build_evaluator() is not written", name)
                    results[name] = {}
                    continue
            results[name] = inference_on_dataset(model, loader, evaluator)
            if comm.is_main_process():
                if not isinstance(results[name], dict):
                    raise AssertionError(
                        f"expected a dict from the evaluator of {name}, got {results[name]!r}"
                    )
                logger.info("Evaluation results for %s in csv format:", name)
                print_csv_format(results[name])
        return next(iter(results.values())) if len(results) == 1 else results

    @staticmethod
    def auto_scale_workers(cfg, num_workers: int):
        """Rescale batch size, rate and lengths from ``SOLVER.REFERENCE_WORLD_SIZE`` processes to
        ``num_workers``.

        The batch of each process stays the same: the total batch and the rate grow with the number
        of processes, iterations and periods shrink with it.

        Returns:
            a new config; ``cfg`` itself when the reference is 0 or already right.
        """
        reference = cfg.SOLVER.REFERENCE_WORLD_SIZE
        if reference in (0, num_workers):
            return cfg
        if cfg.SOLVER.IMS_PER_BATCH % reference:
            raise AssertionError(
                f"expected SOLVER.IMS_PER_BATCH divisible by REFERENCE_WORLD_SIZE {reference}, "
                f"got {cfg.SOLVER.IMS_PER_BATCH}"
            )
        scale = num_workers / reference
        frozen, cfg = cfg.is_frozen(), cfg.clone()
        cfg.defrost()
        solver = cfg.SOLVER
        solver.IMS_PER_BATCH = round(solver.IMS_PER_BATCH * scale)
        solver.BASE_LR = solver.BASE_LR * scale
        for name in ("MAX_ITER", "WARMUP_ITERS", "CHECKPOINT_PERIOD"):
            solver[name] = round(solver[name] / scale)
        solver.STEPS = tuple(round(step / scale) for step in solver.STEPS)
        solver.REFERENCE_WORLD_SIZE = num_workers
        cfg.TEST.EVAL_PERIOD = round(cfg.TEST.EVAL_PERIOD / scale)
        logger.info(
            f"Auto-scaling the config to batch_size={solver.IMS_PER_BATCH}, "
            f"learning_rate={solver.BASE_LR}, max_iter={solver.MAX_ITER}, "
            f"warmup={solver.WARMUP_ITERS}."
        )
        if frozen:
            cfg.freeze()
        return cfg
