"""Where data sets lie: $DETECTRON2_DATASETS, by default the folder ``datasets``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from vps.data.catalog import register_panoptic_video
from vps.data.panoptic_video_files import IMAGES, INDEX, PANOPTIC
from vps.structures import Category


def register_splits(
    dataset: str, folder: str | os.PathLike | None, categories: Sequence[Category]
) -> None:
    """Register ``<dataset>_train`` and ``<dataset>_val``, which lie in ``folder``/train and /val.

    None stands for the folder ``dataset`` where all data sets lie.
    """
    if folder is None:
        folder = Path(os.environ.get("DETECTRON2_DATASETS", "datasets"), dataset)
    for split in ("train", "val"):
        root = Path(folder, split)
        register_panoptic_video(
            f"{dataset}_{split}",
            image_root=root / IMAGES,
            panoptic_root=root / PANOPTIC,
            panoptic_json=root / INDEX,
            categories=categories,
        )
