"""Registering data sets: names, where the files are, and the classes.

Registration touches no disk and may be repeated. Reading happens at the first use of the records.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from vps.d2.data import DatasetCatalog, MetadataCatalog
from vps.data.panoptic_video_json import load_panoptic_video_json
from vps.io.video_names import VIDEO_NAMES
from vps.structures import Category, InputError, VideoRecord

# The protocols by which a data set may be scored, as the metadata's evaluator_type names them.
EVALUATOR_TYPES = ("video_panoptic_seg", "viposeg", "davis", "youtube_vos")


def register_panoptic_video(
    name: str,
    *,
    image_root: str | os.PathLike,
    panoptic_root: str | os.PathLike,
    panoptic_json: str | os.PathLike,
    categories: Sequence[Category],
    flat_names: str | None = None,
    spellings: Mapping[str, str] | None = None,
    finish: Callable[[list[VideoRecord]], list[VideoRecord]] | None = None,
    **metadata: Any,
) -> None:
    """Register a data set with a panoptic JSON (``vps.data.panoptic_video_json``) under ``name``.

    The position of a category in ``categories`` becomes its contiguous id; things and stuff may
    stand in any order. Registering the same again does nothing.

    Args:
        flat_names: for a JSON that is not grouped by video: how an image id names its video, a key
            of ``vps.io.video_names.VIDEO_NAMES``.
        spellings: {name of a category as the JSON has it: as ``categories`` has it}.
        finish: changes the records after reading.
        metadata: more fields for the catalog.

    Raises:
        InputError: the name is taken by another data set, or two categories share an id or a name.
    """
    roots = {
        "image_root": os.fspath(image_root),
        "panoptic_root": os.fspath(panoptic_root),
        "panoptic_json": os.fspath(panoptic_json),
    }
    categories = [Category(*category) for category in categories]
    read = partial(
        load_panoptic_video_json,
        *roots.values(),
        categories,
        video_of=None if flat_names is None else VIDEO_NAMES[flat_names],
        spellings=spellings,
    )
    load = read if finish is None else lambda: finish(read())
    told = {"flat_names": flat_names, "spellings": dict(spellings or {})}
    register_videos(name, load, categories, **{**roots, **told, **metadata})


def register_videos(
    name: str,
    load: Callable[[], list[VideoRecord]],
    categories: Sequence[Category],
    *,
    evaluator_type: str = "video_panoptic_seg",
    zero_is_background: bool = False,
    **metadata: Any,
) -> None:
    """Register any data set: a function that reads its records, and what is known about it.

    Args:
        load: reads the records anew at each call; nothing is read before.
        evaluator_type: one of ``EVALUATOR_TYPES``.
        zero_is_background: whether pixels without a segment are background, which a prediction must
            leave free, as in video object segmentation; in panoptic data they are void.
        metadata: more fields for the catalog. Two registrations of a name are the same where all
            fields are, so name the folders here.

    Raises:
        InputError: as ``register_panoptic_video``.
    """
    categories = [Category(*category) for category in categories]
    for field in ("dataset_id", "name"):
        values = [getattr(category, field) for category in categories]
        if len(set(values)) < len(values) or not values:
            raise InputError(
                f"expected categories of data set {name!r} with a {field} of their own each, got "
                f"{values}"
            )
    if evaluator_type not in EVALUATOR_TYPES:
        raise InputError(
            f"expected an evaluator_type of {', '.join(EVALUATOR_TYPES)} for data set {name!r}, "
            f"got {evaluator_type!r}"
        )
    metadata = {
        **_class_metadata(categories),
        "evaluator_type": evaluator_type,
        "zero_is_background": zero_is_background,
        **metadata,
    }
    if name in DatasetCatalog:
        known = MetadataCatalog.get(name)
        differing = [key for key, value in metadata.items() if known.get(key) != value]
        if differing:
            raise InputError(
                f"data set {name!r} is already registered with another {', '.join(differing)}; "
                "choose another name"
            )
        return
    DatasetCatalog.register(name, load)
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


def _class_metadata(categories: list[Category]) -> dict[str, Any]:
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
    }
