"""The contract of the seam: every name that the program takes from its host, and where the host
keeps it.

One table, :data:`CONTRACT`. A row says: under ``vps.d2.<seam module>`` stands this name; real
Detectron2 keeps it in this module (some names exist in a submodule only); the lean host keeps it
in this one; and callers may rely on these parameters. A name that is not in the table is not part
of the seam, even where both hosts happen to have it. ``tests/contract`` holds both hosts to the
table.
"""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

from . import HOST

__all__ = ["CONTRACT", "Name", "find", "resolve"]


class Name(NamedTuple):
    """One name of the seam.

    ``real``: module of Detectron2, below ``detectron2.``. ``lean``: module of the lean host, below
    ``vps.d2.lean.``. ``parameters``: what callers may pass, by name. ``is_module``: the name is
    that module itself.
    """

    real: str
    lean: str
    parameters: tuple[str, ...] = ()
    is_module: bool = False


def _row(real: str, lean: str, parameters: str = "") -> Name:
    return Name(real, lean, tuple(parameters.split()))


CONTRACT: dict[str, dict[str, Name]] = {
    "config": {
        "CfgNode": _row("config", "config"),
        "get_cfg": _row("config", "config"),
        "configurable": _row("config", "config", "init_func from_config"),
    },
    "data": {
        "DatasetCatalog": _row("data", "catalog"),
        "MetadataCatalog": _row("data", "catalog"),
    },
    "modeling": {
        "META_ARCH_REGISTRY": _row("modeling", "modeling"),
        "BACKBONE_REGISTRY": _row("modeling", "modeling"),
        "build_model": _row("modeling", "modeling", "cfg"),
        "build_backbone": _row("modeling", "modeling", "cfg input_shape"),
        "Backbone": _row("modeling", "modeling"),
        "ShapeSpec": _row("layers", "modeling", "channels height width stride"),
    },
    "checkpoint": {
        "DetectionCheckpointer": _row(
            "checkpoint", "checkpoint", "model save_dir save_to_disk checkpointables"
        ),
        "PeriodicCheckpointer": _row(
            "checkpoint", "checkpoint", "checkpointer period max_iter max_to_keep file_prefix"
        ),
    },
    "engine": {
        "TrainerBase": _row("engine", "train_loop"),
        "SimpleTrainer": _row(
            "engine",
            "train_loop",
            "model data_loader optimizer gather_metric_period zero_grad_before_forward",
        ),
        "AMPTrainer": _row(
            "engine",
            "amp_trainer",
            "model data_loader optimizer gather_metric_period zero_grad_before_forward"
            " grad_scaler precision",
        ),
        "DefaultTrainer": _row("engine", "default_trainer", "cfg"),
        "HookBase": _row("engine", "train_loop"),
        "hooks": Name("engine.hooks", "hooks", is_module=True),
        "default_argument_parser": _row("engine", "setup", "epilog"),
        "default_setup": _row("engine", "setup", "cfg args"),
        "default_writers": _row("engine", "setup", "output_dir max_iter"),
        "create_ddp_model": _row("engine", "setup", "model kwargs"),
        "launch": _row(
            "engine",
            "launch",
            "main_func num_gpus_per_machine num_machines machine_rank dist_url args timeout",
        ),
    },
    "engine.hooks": {
        "CallbackHook": _row(
            "engine.hooks", "hooks", "before_train after_train before_step after_step"
        ),
        "IterationTimer": _row("engine.hooks", "hooks", "warmup_iter"),
        "PeriodicWriter": _row("engine.hooks", "hooks", "writers period"),
        "PeriodicCheckpointer": _row(
            "engine.hooks", "hooks", "checkpointer period max_iter max_to_keep file_prefix"
        ),
        "LRScheduler": _row("engine.hooks", "hooks", "optimizer scheduler"),
        "EvalHook": _row("engine.hooks", "hooks", "eval_period eval_function eval_after_train"),
        "BestCheckpointer": _row(
            "engine.hooks", "hooks", "eval_period checkpointer val_metric mode file_prefix"
        ),
    },
    "evaluation": {
        "DatasetEvaluator": _row("evaluation", "evaluation"),
        "DatasetEvaluators": _row("evaluation", "evaluation", "evaluators"),
        "inference_on_dataset": _row(
            "evaluation", "evaluation", "model data_loader evaluator callbacks"
        ),
        "inference_context": _row("evaluation", "evaluation", "model"),
        "print_csv_format": _row("evaluation", "results", "results"),
        "verify_results": _row("evaluation", "results", "cfg results"),
    },
    "solver": {
        "build_lr_scheduler": _row("solver", "lr_scheduler", "cfg optimizer"),
        "build_optimizer": _row("solver", "optimizer", "cfg model"),
        "get_default_optimizer_params": _row(
            "solver",
            "optimizer",
            "model base_lr weight_decay weight_decay_norm bias_lr_factor weight_decay_bias"
            " lr_factor_func overrides",
        ),
        "maybe_add_gradient_clipping": _row("solver.build", "optimizer", "cfg optimizer"),
    },
    "utils": {
        "comm": Name("utils.comm", "comm", is_module=True),
        "EventStorage": _row("utils.events", "events", "start_iter"),
        "get_event_storage": _row("utils.events", "events"),
        "JSONWriter": _row("utils.events", "writers", "json_file window_size"),
        "CommonMetricPrinter": _row("utils.events", "writers", "max_iter window_size"),
        "TensorboardXWriter": _row("utils.events", "writers", "log_dir window_size kwargs"),
        "setup_logger": _row(
            "utils.logger",
            "logger",
            "output distributed_rank color name abbrev_name enable_propagation configure_stdout",
        ),
        "log_first_n": _row("utils.logger", "logger", "lvl msg n name key"),
        "PathManager": _row("utils.file_io", "file_io"),
        "Registry": _row("utils.registry", "modeling"),
        "seed_all_rng": _row("utils.env", "env", "seed"),
    },
    "utils.comm": {
        "get_world_size": _row("utils.comm", "comm"),
        "get_rank": _row("utils.comm", "comm"),
        "get_local_rank": _row("utils.comm", "comm"),
        "get_local_size": _row("utils.comm", "comm"),
        "create_local_process_group": _row("utils.comm", "comm", "num_workers_per_machine"),
        "is_main_process": _row("utils.comm", "comm"),
        "synchronize": _row("utils.comm", "comm"),
        "all_gather": _row("utils.comm", "comm", "data group"),
        "gather": _row("utils.comm", "comm", "data dst group"),
        "shared_random_seed": _row("utils.comm", "comm"),
        "reduce_dict": _row("utils.comm", "comm", "input_dict average"),
    },
}


def find(module: str, name: str) -> Any:
    """The object that this process's host keeps under one name of the table.

    Args:
        module: a key of :data:`CONTRACT`, such as ``"config"`` or ``"engine.hooks"``.
        name: a key of ``CONTRACT[module]``.

    Raises:
        KeyError: the name is not in the table.
        ImportError: the host was found, but cannot serve the name. The other host is never tried
            instead.
    """
    row = CONTRACT[module][name]
    path = f"detectron2.{row.real}" if HOST == "detectron2" else f"vps.d2.lean.{row.lean}"
    try:
        source = importlib.import_module(path)
        return source if row.is_module else getattr(source, name)
    except (ImportError, AttributeError) as error:
        if HOST == "lean":
            raise
        raise ImportError(
            f"Detectron2 was found, but it cannot serve {path}.{name} "
            f"({type(error).__name__}: {error}); repair that installation, "
            "or set VPS_D2_HOST=lean to run without it"
        ) from error


def resolve(module: str, *names: str) -> tuple[Any, ...]:
    """The host's objects for several names of one seam module, in the order of ``names``."""
    return tuple(find(module, name) for name in names)
