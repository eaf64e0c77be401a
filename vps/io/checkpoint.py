"""Checkpoint files on disk: read without running code that they contain, written whole or not at
all, and told apart from broken ones.

A checkpoint is what ``torch.save`` makes of a dict: ``model`` {parameter name: tensor} and, in one
that a training run wrote, ``trainer`` (optimizer, schedule, ...), ``iteration`` (the last finished
one) and ``metadata`` (see ``vps.engine.checkpoint``).
"""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch

from vps.io.atomic import atomic_write
from vps.structures import InputError


def read_checkpoint(path: str | os.PathLike, *, lazily: bool = False) -> dict[str, Any]:
    """Read a checkpoint onto the CPU; only tensors and plain Python values are accepted.

    Args:
        path: a file of ``torch.save``; a ``state_dict`` (other programs' habit), or a bare {name:
            tensor}, is taken as its ``model``.
        lazily: leave tensors on disk until they are touched (to look at the other entries only).

    Raises:
        InputError: the file is missing, broken, holds anything but data, or no tensors by name.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"expected a checkpoint at {path}, got no such file; check MODEL.WEIGHTS")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=lazily or None)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise InputError(_reason_unreadable(path, error)) from error
    if isinstance(content, dict) and "model" not in content:
        content = {"model": content.get("state_dict", content)}
    weights = content.get("model") if isinstance(content, dict) else None
    if not isinstance(weights, dict) or not all(torch.is_tensor(x) for x in weights.values()):
        raise InputError(
            f"expected tensors by name in {path}, got {type(content).__name__} of something else"
        )
    return content


def write_checkpoint(path: str | os.PathLike, content: dict[str, Any]) -> None:
    """Write ``content`` to ``path``; a process that dies meanwhile leaves the old file, if any."""
    with atomic_write(path, "wb") as file:
        torch.save(content, file)


def is_complete_checkpoint(path: str | os.PathLike) -> bool:
    """Whether the file is there, whole (checksums of all its parts fit) and readable, and was
    written by a training run, so that training can go on from it.
    """
    try:
        # A file of torch.save is a zip archive: its table of contents comes last, so a shortened
        # file has none, and each part has a CRC, so a file with a hole is found out too.
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return False
        return {"trainer", "iteration"} <= read_checkpoint(path, lazily=True).keys()
    except (OSError, zipfile.BadZipFile, InputError):
        return False


def _reason_unreadable(path: Path, error: Exception) -> str:
    if path.stat().st_size == 0:
        return f"expected a checkpoint in {path}, got an empty file; was writing it interrupted?"
    # torch's message tells how to trust the file; that advice should not reach a user in a hurry.
    blocked = re.search(r"GLOBAL ([\w.]+)|Unsupported (?:global|class|operand) (\S+)", str(error))
    if path.suffix == ".pkl" or blocked:
        found = f" ({blocked.group(1) or blocked.group(2)})" if blocked else ""
        return (
            f"expected a checkpoint of tensors and plain values in {path}, got a pickle that may "
            f"run code{found}; make it safe with tools/convert_weights.py"
        )
    return f"expected a checkpoint in {path}, got a broken or foreign file; was it copied whole?"
