"""The masks that a video of a data set gives to a video object segmentation model.

A record may name reference files (VIPOSeg, YouTube-VOS); otherwise every object is given in the
first frame whose labels have it. Crowds are no objects and are never given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from vps.io.panoptic import read_ground_truth, read_label_map
from vps.structures import (
    Frame,
    InputError,
    PanopticFrame,
    References,
    Segment,
    VideoRecord,
)


def record_references(record: VideoRecord) -> References:
    """What ``record`` gives at each of its frames, read when it is asked for.

    The returned function belongs to one run through the video: it must be called with every frame,
    in order, and holds the labels of one frame at a time.

    Raises:
        InputError: (when called) the frames are not those of the record, a file cannot be read, or
            an object of a reference file has no class; names the file.
    """
    return _RecordReferences(record)


def iterate_references(record: VideoRecord) -> Iterator[PanopticFrame | None]:
    """What ``record`` gives at each of its frames, in order, without decoding the frames."""
    references = _RecordReferences(record)
    return (references.read(index) for index in range(record["length"]))


def read_reference_frames(record: VideoRecord) -> dict[int, list[int]]:
    """{object: the indices of the frames that give its mask}, by ascending id.

    Reads the files of references, if the record names any, and else the labels of those frames in
    which an object may appear first.
    """
    found: dict[int, list[int]] = {}
    for index, given in enumerate(iterate_references(record)):
        for object_id in given.segments if given is not None else ():
            found.setdefault(object_id, []).append(index)
    return dict(sorted(found.items()))


class _RecordReferences:
    """Remembers which objects were given, and nothing of their pixels."""

    def __init__(self, record: VideoRecord) -> None:
        self._record = record
        self._next = 0
        self._given: set[int] = set()
        self._objects = record_objects(record)

    def __call__(self, frame: Frame) -> PanopticFrame | None:
        record, index = self._record, self._next
        expected = record["image_ids"][index] if index < record["length"] else "none"
        if frame.frame_id != expected:
            raise InputError(
                f"expected frame {expected} of video {record['video_id']} at position {index}, got "
                f"frame {frame.frame_id}; references belong to one run through all frames, in order"
            )
        self._next += 1
        given = self.read(index)
        if given is not None and given.ids.shape != frame.image.shape[:2]:
            raise InputError(
                f"expected the masks of frame {frame.frame_id} of video {record['video_id']} at "
                f"the frame's size {frame.image.shape[0]}x{frame.image.shape[1]} (height x width), "
                f"got {given.ids.shape[0]}x{given.ids.shape[1]}"
            )
        return given

    def read(self, index: int) -> PanopticFrame | None:
        """The objects that are given at frame ``index``; None where there are none."""
        files = self._record.get("reference_file_names")
        ids = self._new_in_labels(index) if files is None else self._in_file(files[index])
        if ids is None:
            return None
        painted = [i for i in np.unique(ids).tolist() if i]
        self._given.update(painted)
        if not painted:
            return None
        segments = {object_id: self._objects[object_id] for object_id in painted}
        return PanopticFrame(self._record["image_ids"][index], ids, segments)

    def _new_in_labels(self, index: int) -> np.ndarray | None:
        infos = self._record["segments_infos"][index]
        listed = {int(info["id"]) for info in infos or ()}
        if not (listed & self._objects.keys()) - self._given:
            return None  # the PNG need not be read
        ids = read_ground_truth(self._record, index).ids
        new = [i for i in np.unique(ids).tolist() if i in self._objects and i not in self._given]
        return np.where(np.isin(ids, new), ids, 0).astype(np.int32)

    def _in_file(self, path: str | None) -> np.ndarray | None:
        if path is None:
            return None
        ids = read_label_map(path, self._record.get("label_coding", "rgb"))
        if unknown := sorted(set(np.unique(ids).tolist()) - {0} - self._objects.keys()):
            raise InputError(
                f"the reference masks in {path} give object {unknown[0]}, which no frame of video "
                f"{self._record['video_id']} lists as an object with a class"
            )
        return ids


def record_objects(record: VideoRecord) -> Mapping[int, Segment]:
    """What the objects of a video are: {id: Segment}, over all frames, without crowds."""
    objects: dict[int, Segment] = {}
    for infos in record["segments_infos"]:
        for info in infos or ():
            if not info.get("iscrowd", False):
                segment = Segment(int(info["category_id"]), bool(info["isthing"]))
                objects.setdefault(int(info["id"]), segment)
    return objects
