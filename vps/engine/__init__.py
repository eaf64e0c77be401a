"""Training: the trainer, its optimizer and checkpoints, and how its processes are started."""

from vps.engine.averaging import AveragedWeights
from vps.engine.checkpoint import SafeCheckpointer, describe_run, find_checkpoint
from vps.engine.launch import exit_on_input_error, run_tool
from vps.engine.optimizer import build_optimizer, parameter_groups
from vps.engine.schedule import WarmupPolyLR, build_lr_scheduler
from vps.engine.trainer import VPSTrainer

__all__ = [
    "AveragedWeights",
    "SafeCheckpointer",
    "VPSTrainer",
    "WarmupPolyLR",
    "build_lr_scheduler",
    "build_optimizer",
    "describe_run",
    "exit_on_input_error",
    "find_checkpoint",
    "parameter_groups",
    "run_tool",
]
