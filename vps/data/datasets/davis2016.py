"""davis2016_vps_train and davis2016_vps_val: DAVIS 2016 as a panoptic data set of two classes.

One object per sequence is a thing, all else is background. ``datasets/prepare_davis2016_vps.py``
makes the files: the first frames of every sequence are for training, the last ones for validation,
so that scores say how a model follows objects that it knows, not how it finds new ones.
"""

from __future__ import annotations

import os

from vps.data.datasets.roots import register_splits
from vps.structures import Category

DAVIS2016_CATEGORIES: list[Category] = [
    Category("background", False, (110, 110, 110), 1),
    Category("object", True, (220, 20, 60), 2),
]


def register_davis2016(
    folder: str | os.PathLike | None = None, *, name: str = "davis2016_vps"
) -> None:
    """Register the two splits in ``folder`` as ``<name>_train`` and ``<name>_val``."""
    register_splits(name, folder, DAVIS2016_CATEGORIES, source="davis2016_vps")
