"""shapes_vps_train and shapes_vps_val, made by ``datasets/make_shapes.py``."""

from __future__ import annotations

import os

from vps.data.datasets.roots import register_splits
from vps.data.shapes_world.categories import SHAPES_CATEGORIES


def register_shapes(folder: str | os.PathLike | None = None, *, name: str = "shapes_vps") -> None:
    """Register the two splits of a Shapes-VPS in ``folder`` as ``<name>_train`` and ``_val``."""
    register_splits(name, folder, SHAPES_CATEGORIES)
