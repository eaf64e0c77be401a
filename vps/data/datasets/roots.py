"""Where data sets lie: $DETECTRON2_DATASETS, by default the folder ``datasets``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from vps.data.catalog import register_panoptic_video
from vps.data.panoptic_video_files import IMAGES, INDEX, PANOPTIC
from vps.structures import Category


def dataset_root(folder: str | os.PathLike | None, default: str) -> Path:
    """``folder``, or, where it is None, the folder ``default`` where all data sets lie."""
    if folder is not None:
        return Path(folder)
    return Path(os.environ.get("DETECTRON2_DATASETS", "datasets"), default)


def register_splits(
    dataset: str,
    folder: str | os.PathLike | None,
    categories: Sequence[Category],
    *,
    source: str | None = None,
) -> None:
    """Register ``<dataset>_train`` and ``<dataset>_val``, which lie in ``folder``/train and /val.

    None stands for the folder ``dataset`` where all data sets lie. ``source`` is the published data
    set that these are splits of, whatever they are named (``vps.data.leakage``).
    """
    for split in ("train", "val"):
        root = dataset_root(folder, dataset) / split
        register_panoptic_video(
            f"{dataset}_{split}",
            image_root=root / IMAGES,
            panoptic_root=root / PANOPTIC,
            panoptic_json=root / INDEX,
            categories=categories,
            source_split=f"{source}_{split}" if source else None,
        )
