"""Load weights into a model, all of them or none.

A model with a part of its weights missing still runs, and shows it by poor pictures only. So for
inference every parameter must be in the file, with its shape, and the file must hold nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from vps.io.checkpoint import read_checkpoint
from vps.structures import InputError

_SHOWN = 3  # keys of each kind that an error lists


def load_weights_strict(model: nn.Module, path: str | os.PathLike) -> None:
    """Load the ``model`` entry of a checkpoint into ``model``, in place.

    Nothing is loaded unless all keys and shapes agree.

    Raises:
        InputError: the file is missing, broken or unsafe to read, or its weights are those of
            another architecture; names the first missing, unexpected and misshapen keys.
    """
    weights = read_checkpoint(path)["model"]
    if problems := compare_weights(model.state_dict(), weights):
        raise InputError(
            f"expected weights of a {type(model).__name__} as the config builds it, got others in "
            f"{path}: {'; '.join(problems)}; was it trained with this config file?"
        )
    model.load_state_dict(weights)


def compare_weights(
    expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor]
) -> list[str]:
    """Say in what two tables of weights differ; empty when they have the same keys and shapes."""
    missing = [key for key in expected if key not in found]
    unexpected = [key for key in found if key not in expected]
    misshapen = [
        f"{key} {list(found[key].shape)} instead of {list(weight.shape)}"
        for key, weight in expected.items()
        if key in found and found[key].shape != weight.shape
    ]
    kinds = (("missing", missing), ("unexpected", unexpected), ("of another shape", misshapen))
    return [f"{len(keys)} {kind} ({_some(keys)})" for kind, keys in kinds if keys]


def _some(keys: Sequence[str]) -> str:
    return ", ".join(keys[:_SHOWN]) + (", ..." if len(keys) > _SHOWN else "")
