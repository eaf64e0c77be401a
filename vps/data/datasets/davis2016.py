"""davis2016_vps_train and davis2016_vps_val: DAVIS 2016 as a panoptic data set of two classes.

One object per sequence is a thing, all else is background. ``datasets/prepare_davis2016_vps.py``
makes the files: the first frames of every sequence are for training, the last ones for validation,
so that scores say how a model follows objects that it knows, not how it finds new ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vps.data.datasets.roots import register_splits
from vps.data.panoptic_video_files import SourceFrame, VideoEntry, write_index, write_video
from vps.io import atomic_folder
from vps.io.images import open_image
from vps.structures import Category, InputError, PanopticFrame, Segment

DAVIS2016_CATEGORIES: list[Category] = [
    Category("background", False, (110, 110, 110), 1),
    Category("object", True, (220, 20, 60), 2),
]
BACKGROUND_ID, OBJECT_ID = 1, 2


def register_davis2016(
    folder: str | os.PathLike | None = None, *, name: str = "davis2016_vps"
) -> None:
    """Register the two splits in ``folder`` as ``<name>_train`` and ``<name>_val``."""
    register_splits(name, folder, DAVIS2016_CATEGORIES)


def list_sequences(source: str | os.PathLike) -> dict[str, list[Path]]:
    """The pictures of every sequence of a DAVIS 2016 folder, in order of names.

    Raises:
        InputError: the folder is not there, or is not laid out as DAVIS 2016 is.
    """
    images = Path(source, "JPEGImages", "480p")
    if not images.is_dir():
        raise InputError(f"expected DAVIS 2016 in {source}, but there is no folder {images}")
    sequences = {
        folder.name: sorted(folder.glob("*.jpg"))
        for folder in sorted(images.iterdir())
        if folder.is_dir()
    }
    for name, frames in sequences.items():
        if not frames:
            raise InputError(f"sequence {images / name} has no .jpg")
    if not sequences:
        raise InputError(f"folder {images} has no sequences")
    return sequences


def write_davis2016_split(
    source: str | os.PathLike, folder: str | os.PathLike, frames: slice
) -> Iterator[str]:
    """Write ``frames`` of every sequence of ``source`` to ``folder``; yields the names as it goes.

    The folder appears when all of it is there.
    """
    with atomic_folder(folder) as root:
        entries: list[VideoEntry] = []
        for name, images in list_sequences(source).items():
            if not images[frames]:
                raise InputError(f"sequence {name} of {source} has only {len(images)} frames")
            pictures = (_read_frame(source, name, image) for image in images[frames])
            entries.append(write_video(root, name, pictures, DAVIS2016_CATEGORIES))
            yield name
        write_index(root, DAVIS2016_CATEGORIES, entries)


def _read_frame(source: str | os.PathLike, sequence: str, image: Path) -> SourceFrame:
    mask = Path(source, "Annotations", "480p", sequence, f"{image.stem}.png")
    labels = np.asarray(open_image(mask))
    # The object is 255 in the original files and palette index 1 in others.
    if labels.ndim != 2:
        raise InputError(f"expected a mask of one channel, got {list(labels.shape)} in {mask}")
    ids = np.where(labels > 0, OBJECT_ID, BACKGROUND_ID).astype(np.int32)
    segments = {BACKGROUND_ID: Segment(0, False), OBJECT_ID: Segment(1, True)}
    present = {segment_id: segments[segment_id] for segment_id in np.unique(ids).tolist()}
    return SourceFrame(image.stem, image, PanopticFrame(image.stem, ids, present))
