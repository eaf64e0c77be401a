"""Checkpoints that survive a killed process, and weights that fit the config or are refused.

Writing is atomic, and ``last_checkpoint``, the file that names the newest checkpoint, changes only
when that one is complete. So a process that dies while saving leaves the checkpoint before it,
which ``--resume`` finds.

How strictly weights must fit depends on what they are for:

* to go on training (``--resume``) and to be scored (``--eval-only``): the meta-architecture that
  the file records must be the config's, and every tensor must be there and have the right shape;
* to start a training from (``MODEL.WEIGHTS``): whatever fits is taken, the rest keeps its random
  values and is listed in the log; so a backbone alone (ImageNet), or a model with other classes,
  will do. A file of which nothing fits is refused.

Where a training averages its weights (``vps.engine.averaging``), ``model`` in the file is the
average, and ``averaging`` holds the weights that the optimizer works on.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

import vps
from vps.d2 import host_info
from vps.d2.checkpoint import DetectionCheckpointer
from vps.d2.config import CfgNode
from vps.d2.data import MetadataCatalog
from vps.d2.utils import comm
from vps.engine.averaging import AveragedWeights
from vps.io.atomic import atomic_write
from vps.io.checkpoint import is_complete_checkpoint, read_checkpoint, write_checkpoint
from vps.structures import InputError

logger = logging.getLogger(__name__)


def describe_run(cfg: CfgNode) -> dict[str, Any]:
    """What a checkpoint says about its origin: ``meta_architecture``, ``categories`` of the first
    training set, ``config`` (YAML) and the versions of ``vps``, ``torch`` and the ``host``.
    """
    names = cfg.DATASETS.TRAIN or cfg.DATASETS.TEST
    categories = getattr(MetadataCatalog.get(names[0]), "categories", ()) if names else ()
    return {
        "meta_architecture": cfg.MODEL.META_ARCHITECTURE,
        "categories": [
            {
                "name": str(category.name),
                "isthing": bool(category.isthing),
                "color": [int(value) for value in category.color],
                "dataset_id": int(category.dataset_id),
            }
            for category in categories
        ],
        "config": cfg.dump(),
        "vps": vps.__version__,
        "torch": str(torch.__version__),
        "host": host_info(),
    }


class SafeCheckpointer(DetectionCheckpointer):
    """Detectron2's checkpointer with the promises above."""

    def __init__(
        self,
        model: torch.nn.Module,
        save_dir: str = "",
        *,
        metadata: Mapping[str, Any] | None = None,
        average: AveragedWeights | None = None,
        save_to_disk: bool | None = None,
        **checkpointables: Any,
    ) -> None:
        """
        Args:
            model: as Detectron2's, a DistributedDataParallel is unwrapped.
            save_dir: folder of the checkpoints.
            metadata: what to write into each (``describe_run``); its ``meta_architecture`` is what
                files that are loaded strictly must record, if they record one.
            average: the average of the model's weights, which is written in their place.
            save_to_disk: None means on the main process only.
            checkpointables: further objects with ``state_dict`` and ``load_state_dict``.
        """
        if average is not None:
            checkpointables = {"averaging": average, **checkpointables}
        super().__init__(model, save_dir, save_to_disk=save_to_disk, **checkpointables)
        self._average = average
        self.metadata = dict(metadata or {})

    def save(self, name: str, **extra: Any) -> None:
        """Write ``save_dir/name.pth``, then make ``last_checkpoint`` name it."""
        if not self.save_dir or not self.save_to_disk:
            return
        state = {key: obj.state_dict() for key, obj in self.checkpointables.items()}
        self.save_weights(name, **state, **extra)
        self.tag_last_checkpoint(f"{name}.pth")

    def save_weights(self, name: str, **extra: Any) -> None:
        """Write the weights, with nothing to resume from, to ``save_dir/name.pth``."""
        if not self.save_dir or not self.save_to_disk:
            return
        path = Path(self.save_dir, f"{name}.pth")
        logger.info("Saving weights to %s", path)
        with contextlib.nullcontext() if self._average is None else self._average.applied():
            content = {"model": self.model.state_dict(), **extra, "metadata": self.metadata}
            write_checkpoint(path, content)

    def tag_last_checkpoint(self, last_filename_basename: str) -> None:
        """Make ``last_checkpoint`` name this file of ``save_dir``."""
        with atomic_write(Path(self.save_dir, "last_checkpoint"), "w") as file:
            file.write(last_filename_basename)

    def has_checkpoint(self) -> bool:
        """Whether ``save_dir`` holds a complete checkpoint to resume from; see
        ``get_checkpoint_file``.
        """
        return bool(self.get_checkpoint_file())

    def get_checkpoint_file(self) -> str:
        """The checkpoint to resume from: the one that ``last_checkpoint`` names or, where that is
        missing or broken, the complete one with the highest iteration; "" where nothing was saved.

        Raises:
            InputError: there are checkpoints, and all of them are broken.
        """
        return find_checkpoint(self.save_dir) if self.save_dir else ""

    def resume_or_load(
        self, path: str, *, resume: bool = True, strict: bool = False
    ) -> dict[str, Any]:
        """Load the checkpoint to resume from, with all that it holds, or else the model from
        ``path``.

        Args:
            path: weights to use where there is no checkpoint, or where ``resume`` is False.
            strict: weights from ``path`` must fit entirely.
        """
        checkpoint = self.find_on_all_processes() if resume else ""
        if checkpoint:
            return self.load(checkpoint)
        return self.load(path, checkpointables=[], strict=strict)

    def find_on_all_processes(self) -> str:
        """``get_checkpoint_file``, called by all processes together.

        Raises:
            InputError: the processes do not see the same file (a folder that is not shared).
        """
        found = comm.all_gather(self.get_checkpoint_file())
        if len(set(found)) > 1:
            raise InputError(
                f"expected all processes to find the same checkpoint in {self.save_dir}, got "
                f"{sorted(set(found))}; OUTPUT_DIR must be a folder that all machines share"
            )
        return found[0]

    def load(
        self, path: str, checkpointables: list[str] | None = None, *, strict: bool | None = None
    ) -> dict[str, Any]:
        """Load a file, or nothing if ``path`` is empty; returns what else the file holds.

        Args:
            path: a ``.pth`` file, or a name or URL of the host's that leads to one.
            checkpointables: which of them to load too; None = all.
            strict: refuse weights that do not fit; None = strict exactly if ``checkpointables`` is
                None, that is, when a run is resumed.

        Raises:
            InputError: the file is missing, broken, unsafe or does not fit the model.
        """
        if not path:
            logger.info("No weights given: the model keeps its random ones")
            return {}
        logger.info("Loading %s", path)
        if not os.path.isfile(path):
            path = self._local_path(path)
        checkpoint = read_checkpoint(path)
        recorded = checkpoint.get("metadata", {}).get("meta_architecture")
        expected = self.metadata.get("meta_architecture")
        strict = checkpointables is None if strict is None else strict
        if expected and recorded and recorded != expected:
            problem = f"weights of {expected} (MODEL.META_ARCHITECTURE), got {recorded} in {path}"
            if strict:
                raise InputError(f"expected {problem}; use the config they were trained with")
            logger.warning("expected %s; taking what fits", problem)
        self._take_weights(checkpoint, path, strict=strict)
        for key in self.checkpointables if checkpointables is None else checkpointables:
            if key in checkpoint:
                self.checkpointables[key].load_state_dict(checkpoint.pop(key))
        return checkpoint

    def _local_path(self, path: str) -> str:
        try:
            return self.path_manager.get_local_path(path)
        except OSError as error:
            raise InputError(f"cannot get the weights {path}: {error}") from error

    def _take_weights(self, checkpoint: dict[str, Any], path: str, *, strict: bool) -> None:
        misfit = self._load_model(checkpoint)
        reshaped = {name: (got, own) for name, got, own in misfit.incorrect_shapes}
        wrong_shape = [f"{name} {got} for {own}" for name, (got, own) in reshaped.items()]
        missing = [name for name in misfit.missing_keys if name not in reshaped]
        problems = (
            f"{_listed(missing, 'missing')}, "
            f"{_listed(misfit.unexpected_keys, 'unknown to the model')}, "
            f"{_listed(wrong_shape, 'of another shape')}"
        )
        if strict and (wrong_shape or missing or misfit.unexpected_keys):
            raise InputError(
                f"expected weights of the configured model in {path}, got {problems}; use the "
                "config they were trained with"
            )
        names = {name for name, _ in self.model.named_parameters()}
        taken = names - set(missing) - reshaped.keys()
        if not taken:
            raise InputError(f"expected weights for the configured model in {path}, got {problems}")
        logger.info("Took %d of the model's %d parameters from %s", len(taken), len(names), path)
        self._log_incompatible_keys(misfit)


def find_checkpoint(folder: str | os.PathLike) -> str:
    """See ``SafeCheckpointer.get_checkpoint_file``."""
    folder = Path(folder)
    tag = folder / "last_checkpoint"
    named = folder / tag.read_text().strip() if tag.is_file() else None
    if named is not None and is_complete_checkpoint(named):
        return str(named)
    for path in _newest_first(path for path in folder.glob("*.pth") if path != named):
        if is_complete_checkpoint(path):
            problem = "is missing" if named is None else f"names {named.name}, broken or gone"
            logger.warning("%s %s; going on from %s, the newest complete one", tag, problem, path)
            return str(path)
    if named is None:
        return ""  # other files may be weights to start from, but nothing was saved by a run
    raise InputError(
        f"expected a complete checkpoint in {folder}, got only broken ones ({named.name} is named "
        f"by last_checkpoint); remove them, or leave out --resume, to start anew"
    )


def _newest_first(paths: Iterable[Path]) -> list[Path]:
    """Those of ``paths`` that tell their iteration, the highest first; reads no tensors."""
    iteration_of = {}
    for path in paths:
        with contextlib.suppress(InputError):
            iteration_of[path] = read_checkpoint(path, lazily=True).get("iteration", -1)
    return sorted(iteration_of, key=lambda path: (iteration_of[path], path.name), reverse=True)


def remove_leftovers(folder: str | os.PathLike) -> None:
    """Delete what a killed process left of checkpoints that it had not finished writing."""
    for path in Path(folder).glob(".*.pth.*.tmp"):
        logger.warning("Removing %s, a checkpoint that was never finished", path)
        path.unlink(missing_ok=True)


def _listed(names: Iterable[str], what: str) -> str:
    names = list(names)
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{len(names)} {what}" + (f" ({shown})" if names else "")
