"""Checkpoints: a model and what must be resumed with it, in one ``.pth`` file; and weights from
Detectron2's model zoo.

Layout of a ``.pth`` file, as Detectron2 writes it: ``model`` (state dict), ``trainer``
(``iteration``, ``hooks``, ``_trainer`` with the optimizer), ``iteration``. ``last_checkpoint``
beside it names the newest file. A zoo ``.pkl`` holds ``model`` as numpy arrays.

Both kinds are read without running code from the file: ``.pth`` with ``weights_only=True``,
``.pkl`` with an unpickler that knows numpy arrays and nothing else.
"""

from __future__ import annotations

import logging
import pickle
from typing import Any

import numpy as np
import torch
from fvcore.common.checkpoint import Checkpointer, PeriodicCheckpointer

from . import comm
from .file_io import PathManager

__all__ = ["DetectionCheckpointer", "PeriodicCheckpointer"]

logger = logging.getLogger("detectron2.checkpoint.detection_checkpoint")


class DetectionCheckpointer(Checkpointer):
    """Saves on the main process, loads on all; fvcore's Checkpointer with Detectron2's file
    formats.
    """

    def __init__(
        self, model, save_dir: str = "", *, save_to_disk: bool | None = None, **checkpointables
    ) -> None:
        """
        Args:
            model: the module; a DistributedDataParallel is unwrapped.
            save_dir: folder of the checkpoints.
            save_to_disk: None means on the main process only.
            checkpointables: further objects with ``state_dict`` and ``load_state_dict``.
        """
        if save_to_disk is None:
            save_to_disk = comm.is_main_process()
        super().__init__(model, save_dir, save_to_disk=save_to_disk, **checkpointables)
        self.path_manager = PathManager

    def load(self, path: str, checkpointables: list[str] | None = None) -> dict[str, Any]:
        """Load a file; returns what it holds beyond the model and the checkpointables.

        An empty path loads nothing. ``checkpointables=[]`` loads the model alone.
        """
        if path:
            path = self.path_manager.get_local_path(path)
        return super().load(path, checkpointables)

    def _load_file(self, f: str) -> dict[str, Any]:
        if f.endswith(".pkl"):
            return _read_zoo_pickle(f)
        loaded = torch.load(f, map_location="cpu", weights_only=True)
        return loaded if "model" in loaded else {"model": loaded}

    def _load_model(self, checkpoint: dict[str, Any]):
        if checkpoint.get("matching_heuristics", False):
            self._convert_ndarray_to_tensor(checkpoint["model"])
            checkpoint["model"] = match_by_suffix(self.model.state_dict(), checkpoint["model"])
        incompatible = super()._load_model(checkpoint)
        # Old zoo files lack the pixel statistics, which the config sets anyway, and carry anchors,
        # which are computed.
        buffers = dict(self.model.named_buffers(recurse=False))
        missing, unexpected = incompatible.missing_keys, incompatible.unexpected_keys
        for name in {"pixel_mean", "pixel_std"} & set(buffers) & set(missing):
            missing.remove(name)
        unexpected[:] = [k for k in unexpected if "anchor_generator.cell_anchors" not in k]
        return incompatible


def match_by_suffix(
    model_state: dict[str, torch.Tensor], loaded: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Rename loaded weights to the model's names where a loaded name is the end of one of them.

    ``res2.0.conv1.weight`` fits ``backbone.bottom_up.res2.0.conv1.weight``. The longest fitting
    name wins; names that fit nothing, or fit in name but not in shape, keep their own name, so
    that loading reports them.

    Raises:
        ValueError: one loaded name is the best fit of two of the model's names.
    """
    renamed: dict[str, str] = {}  # loaded name -> name in the model
    for target in sorted(model_state):
        parts = target.split(".")
        ends = (".".join(parts[start:]) for start in range(len(parts)))  # longest first
        source = next((end for end in ends if end in loaded), None)
        if source is None:
            continue
        if loaded[source].shape != model_state[target].shape:
            logger.warning(
                "%s has shape %s in the checkpoint, but %s has shape %s in the model; not loaded",
                source,
                tuple(loaded[source].shape),
                target,
                tuple(model_state[target].shape),
            )
            continue
        if source in renamed:
            raise ValueError(
                f"checkpoint key {source!r} fits two keys of the model, {renamed[source]!r} and "
                f"{target!r}; give the checkpoint's keys their full names"
            )
        renamed[source] = target
    logger.info("%d of %d weights matched by name suffix", len(renamed), len(loaded))
    return {renamed.get(name, name): value for name, value in loaded.items()}


def _read_zoo_pickle(path: str) -> dict[str, Any]:
    with open(path, "rb") as file:
        try:
            # latin1: the zoo's files were written by Python 2
            data = _ArrayUnpickler(file, encoding="latin1").load()
        except (pickle.UnpicklingError, EOFError, LookupError, TypeError, ValueError) as error:
            raise pickle.UnpicklingError(
                f"expected a pickled dict of numpy arrays in {path}: {error}"
            ) from error
    if not isinstance(data, dict) or "model" not in data or "__author__" not in data:
        raise ValueError(
            f"expected 'model' and '__author__' in {path}, as Detectron2's model zoo writes them; "
            "Caffe2 files are not read by the lean host, install Detectron2 for them"
        )
    logger.info("Reading a file from '%s'", data["__author__"])
    return data


def _encode_latin1(text: str, encoding: str = "latin1") -> bytes:
    """Bytes, as Python 3 pickles them for Python 2; an array needs no other codec."""
    if encoding.lower().replace("-", "") not in ("latin1", "iso88591"):
        raise pickle.UnpicklingError(f"the codec {encoding!r} is not allowed")
    return text.encode("latin1")


class _ArrayUnpickler(pickle.Unpickler):
    """An unpickler for numpy arrays, scalars and plain containers: no other name in the file is
    looked up.
    """

    ALLOWED = frozenset(
        {
            ("collections", "OrderedDict"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy.core.multiarray", "scalar"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy._core.multiarray", "scalar"),
            ("numpy._core.numeric", "_frombuffer"),
            ("numpy.core.numeric", "_frombuffer"),
        }
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("_codecs", "encode"):
            return _encode_latin1
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(
                f"expected numpy arrays only, the file asks for {module}.{name}; refused, "
                "since such a file could run code"
            )
        if hasattr(np, "_core"):  # numpy 2 moved it, and warns about the old place
            module = module.replace("numpy.core.", "numpy._core.")
        return super().find_class(module, name)
