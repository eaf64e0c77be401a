"""Records of data sets of video object segmentation: folders of pictures and of index PNGs.

Every data set of this kind has, for a video, a folder of pictures, a folder of masks whose values
are the numbers of objects, and something that says which objects there are. What differs is where
these lie and which frames have masks; that is in ``vps.data.datasets``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vps.data.folders import MASKS, PICTURES, Folders, MissingFileError
from vps.io.images import read_image_size
from vps.io.index_png import MAX_OBJECT
from vps.structures import Category, InputError, LabelCoding, VideoRecord

# The one class of data sets that do not tell what their objects are.
OBJECT_CATEGORIES: list[Category] = [Category("object", True, (220, 20, 60), 1)]

SegmentsInfo = list[dict[str, Any]]


def make_object_record(
    video_id: str,
    pictures: Mapping[str, str],
    objects: SegmentsInfo,
    *,
    labels: Mapping[str, str] | None = None,
    references: Mapping[str, str] | None = None,
    label_coding: LabelCoding = "index",
    unlisted_is_background: bool = False,
) -> VideoRecord:
    """A record of one video.

    The size is that of the first picture, of which the head is read.

    Args:
        pictures: {name of a frame: path}, in the order of time.
        objects: the segments that may occur in any of its frames (``list_objects``).
        labels: {name: path of its mask}; masks of other frames are ignored. None: no ground truth.
        references: {name: path of the mask of the objects given there}. None: objects are given
            where they first appear in ``labels``.
        label_coding, unlisted_is_background: see ``VideoRecord``.

    Raises:
        InputError: there is no frame, the first picture cannot be read, or a reference is of no
            frame, or there is none; names the file.
    """
    if not pictures:
        raise InputError(f"expected frames of video {video_id}, got none")
    names = list(pictures)
    height, width = read_image_size(pictures[names[0]])
    labels = labels or {}
    record = VideoRecord(
        video_id=video_id,
        height=height,
        width=width,
        length=len(names),
        file_names=list(pictures.values()),
        image_ids=names,
        labelled=[name in labels for name in names],
        pan_seg_file_names=[labels.get(name) for name in names],
        segments_infos=[
            objects if name in labels or name in (references or {}) else None for name in names
        ],
        label_coding=label_coding,
    )
    if unlisted_is_background:
        record["unlisted_is_background"] = True
    if references is not None:
        if astray := sorted(references.keys() - pictures.keys()):
            raise InputError(
                f"expected a frame of video {video_id} for the reference mask "
                f"{references[astray[0]]}, got none of this name among {len(names)} frames"
            )
        if not references:
            raise InputError(f"expected masks that are given for video {video_id}, got none")
        record["reference_file_names"] = [references.get(name) for name in names]
    return record


def list_objects(
    classes: Mapping[int, int], categories: Sequence[Category], where: str | os.PathLike
) -> SegmentsInfo:
    """Segments of the objects of a video.

    Args:
        classes: {number of an object: id of its class in the data set's files}.
        where: what states them, for the errors.

    Raises:
        InputError: a number is not in 1..254, or a class is unknown.
    """
    index = {category.dataset_id: position for position, category in enumerate(categories)}
    objects = []
    for number, dataset_id in sorted(classes.items()):
        if not 1 <= number <= MAX_OBJECT:
            raise InputError(
                f"expected numbers of objects in 1..{MAX_OBJECT} in {where}, got {number}"
            )
        if dataset_id not in index:
            raise InputError(
                f"expected a class of the {len(categories)} from {min(index)} to {max(index)} for "
                f"object {number} in {where}, got {dataset_id}"
            )
        position = index[dataset_id]
        objects.append(
            {
                "id": number,
                "category_id": position,
                "isthing": categories[position].isthing,
                "iscrowd": False,
            }
        )
    return objects


class VideoFolders:
    """Finds the pictures and masks of videos, each in a folder of its own."""

    def __init__(self) -> None:
        self._folders = Folders()

    def pictures(
        self, folder: str | os.PathLike, names: Iterable[str] | None = None
    ) -> dict[str, str]:
        """{name of a frame: path}: of all pictures in a folder, or of the frames ``names``.

        Raises:
            InputError: the folder cannot be listed, has no pictures, or lacks one of ``names``.
        """
        found = self._stems(folder, PICTURES)
        if not found:
            raise InputError(f"expected pictures ({' '.join(PICTURES)}) in {folder}, got none")
        if names is None:
            return found
        names = sorted(set(names))
        if missing := [name for name in names if name not in found]:
            raise InputError(
                f"expected a picture of frame {missing[0]} in {folder}, got none "
                f"({len(missing)} such of {len(names)} frames)"
            )
        return {name: found[name] for name in names}

    def masks(self, folder: str | os.PathLike) -> dict[str, str]:
        """{name of a frame: path} of the PNGs in a folder; InputError where there is none."""
        return self._stems(folder, MASKS)

    def _stems(self, folder: str | os.PathLike, endings: Sequence[str]) -> dict[str, str]:
        try:
            return self._folders.stems(folder, endings)
        except MissingFileError as error:
            raise InputError(f"expected a folder of frames, got {error.found}") from error
