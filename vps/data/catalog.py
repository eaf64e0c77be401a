"""Registering data sets: names, where the files are, and the classes.

Registration touches no disk and may be repeated. Reading happens at the first use of the records.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial

from vps.d2.data import DatasetCatalog, MetadataCatalog
from vps.data.panoptic_video_json import load_panoptic_video_json
from vps.structures import Category, InputError, VideoRecord


def register_panoptic_video(
    name: str,
    *,
    image_root: str | os.PathLike,
    panoptic_root: str | os.PathLike,
    panoptic_json: str | os.PathLike,
    categories: Sequence[Category],
) -> None:
    """Register a data set in the panoptic video layout (``datasets/README.md``) under ``name``.

    The position of a category in ``categories`` becomes its contiguous id; things and stuff may
    stand in any order. Registering the same again does nothing.

    Raises:
        InputError: the name is taken by another data set, or two categories share an id or a name.
    """
    categories = [Category(*category) for category in categories]
    for field in ("dataset_id", "name"):
        values = [getattr(category, field) for category in categories]
        if len(set(values)) < len(values) or not values:
            raise InputError(
                f"expected categories of data set {name!r} with a {field} of their own each, got "
                f"{values}"
            )
    metadata = _metadata(image_root, panoptic_root, panoptic_json, categories)
    if name in DatasetCatalog:
        known = MetadataCatalog.get(name)
        differing = [key for key, value in metadata.items() if known.get(key) != value]
        if differing:
            raise InputError(
                f"data set {name!r} is already registered with another {', '.join(differing)}; "
                "choose another name"
            )
        return
    roots = (metadata["image_root"], metadata["panoptic_root"], metadata["panoptic_json"])
    DatasetCatalog.register(name, partial(load_panoptic_video_json, *roots, categories))
    MetadataCatalog.get(name).set(**metadata)


def load_dataset(name: str) -> list[VideoRecord]:
    """Read the records of a registered data set.

    Raises:
        InputError: no data set has this name, or its files are bad.
    """
    if name not in DatasetCatalog:
        near = [
            known for known in DatasetCatalog.list() if known.split("_")[0] == name.split("_")[0]
        ]
        raise InputError(
            f"data set {name!r} is not registered; there are "
            f"{', '.join(near) or 'shapes_vps_train, shapes_vps_val and others'} "
            "(vps.data.register_panoptic_video adds your own)"
        )
    return DatasetCatalog.get(name)


def dataset_categories(name: str) -> list[Category]:
    """The categories of a registered data set; the position is the contiguous id."""
    categories = MetadataCatalog.get(name).get("categories") if name in DatasetCatalog else None
    if categories is None:
        raise InputError(f"data set {name!r} is not a registered panoptic video data set")
    return categories


def _metadata(image_root, panoptic_root, panoptic_json, categories: list[Category]) -> dict:
    # Detectron2's convention for panoptic data with one numbering: the lists of thing_* and stuff_*
    # both hold all classes, so that a contiguous id indexes either.
    names = [category.name for category in categories]
    colors = [category.color for category in categories]
    numbered = list(enumerate(categories))
    return {
        "categories": categories,
        "thing_classes": names,
        "stuff_classes": names,
        "thing_colors": colors,
        "stuff_colors": colors,
        "thing_dataset_id_to_contiguous_id": {c.dataset_id: i for i, c in numbered if c.isthing},
        "stuff_dataset_id_to_contiguous_id": {
            c.dataset_id: i for i, c in numbered if not c.isthing
        },
        "ignore_label": 255,
        "label_divisor": 1000,
        "image_root": os.fspath(image_root),
        "panoptic_root": os.fspath(panoptic_root),
        "panoptic_json": os.fspath(panoptic_json),
        "evaluator_type": "video_panoptic_seg",
    }
