"""Training: the loop, its hooks, the default trainer, the command line and the launcher of
processes.
"""

from .contract import resolve

__all__ = [
    "AMPTrainer",
    "DefaultTrainer",
    "HookBase",
    "SimpleTrainer",
    "TrainerBase",
    "create_ddp_model",
    "default_argument_parser",
    "default_setup",
    "default_writers",
    "hooks",
    "launch",
]

TrainerBase, SimpleTrainer, AMPTrainer, DefaultTrainer = resolve(
    "engine", "TrainerBase", "SimpleTrainer", "AMPTrainer", "DefaultTrainer"
)
HookBase, hooks = resolve("engine", "HookBase", "hooks")
default_argument_parser, default_setup, default_writers, create_ddp_model, launch = resolve(
    "engine",
    "default_argument_parser",
    "default_setup",
    "default_writers",
    "create_ddp_model",
    "launch",
)
