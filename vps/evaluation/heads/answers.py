"""Turning the tubes of a panoptic model into answers to "where is this object now?".

A video panoptic model names its segments itself; video object segmentation asks for the objects of
the ground truth. So each object is given a tube, and the tube's pixels are the answer:

* **causal**: at the frame that gives the object's mask it gets the predicted segment with the
  highest IoU, if that is at least 0.5 and no other object has it; then its id is followed. This is
  what the model could answer on line;
* **oracle**: the assignment of tubes to objects that has the largest sum of IoU over the whole
  video. It looks at the answers, so it is an upper bound and nothing else.

Classes play no part, and an object without a tube is empty throughout. The two must never be mixed
in a table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np

from vps.evaluation.heads.assignment import assign_most
from vps.metrics import FrameTable
from vps.metrics.frame_table import count_pairs
from vps.structures import LabelRuns, PanopticFrame


class CausalTubes:
    """Follows the predicted tubes that objects were given at their reference frames."""

    def __init__(self, *, iou: float = 0.5) -> None:
        self._iou = iou
        self.object_of: dict[int, int] = {}  # predicted id -> object

    def update(self, given: PanopticFrame | None, prediction: PanopticFrame) -> dict[int, int]:
        """{predicted id: object} from this frame on, in which the masks ``given`` are given."""
        if given is not None:
            answered = set(self.object_of.values())
            wanted = [i for i in given.segments if i not in answered]
            taken = dict(self.object_of)
            for _, object_id, tube in sorted(
                _overlaps(given.ids, prediction.ids, wanted, least=self._iou)
            ):
                if tube not in taken and object_id not in answered:
                    taken[tube] = object_id
                    answered.add(object_id)
            self.object_of = taken
        return self.object_of


def _overlaps(
    given: np.ndarray, predicted: np.ndarray, objects: Collection[int], *, least: float
) -> list[tuple[float, int, int]]:
    """(-IoU, object, predicted id) of the pairs with an IoU of at least ``least``; sorted, the best
    come first.
    """
    left, right, pixels = (part.tolist() for part in count_pairs(given, predicted))
    given_area = _sum_by(left, pixels)
    predicted_area = _sum_by(right, pixels)
    found = []
    for object_id, tube, common in zip(left, right, pixels):
        if object_id in objects and tube:
            iou = common / (given_area[object_id] + predicted_area[tube] - common)
            if iou >= least:
                found.append((-iou, object_id, tube))
    return found


class TubeOverlaps:
    """Pixels that the objects and the predicted tubes of a video have alone and in common, summed
    frame by frame; no pixel is kept.
    """

    def __init__(self, objects: Iterable[int]) -> None:
        self._objects = sorted(objects)
        self._object_area: dict[int, int] = {}
        self._tube_area: dict[int, int] = {}
        self._common: dict[tuple[int, int], int] = {}

    def add(self, table: FrameTable) -> None:
        """Count one more frame."""
        left, right, pixels = table.gt_ids.tolist(), table.pred_ids.tolist(), table.pixels.tolist()
        for object_id, tube, count in zip(left, right, pixels):
            self._object_area[object_id] = self._object_area.get(object_id, 0) + count
            self._tube_area[tube] = self._tube_area.get(tube, 0) + count
            if object_id and tube:
                pair = object_id, tube
                self._common[pair] = self._common.get(pair, 0) + count

    def oracle(self) -> dict[int, int]:
        """{predicted id: object}: the one-to-one assignment with the largest sum of tube IoUs."""
        tubes = sorted({tube for _, tube in self._common})
        row = {object_id: number for number, object_id in enumerate(self._objects)}
        column = {tube: number for number, tube in enumerate(tubes)}
        iou = np.zeros((len(row), len(column)))
        for (object_id, tube), common in self._common.items():
            if object_id in row:
                union = self._object_area[object_id] + self._tube_area[tube] - common
                iou[row[object_id], column[tube]] = common / union
        return {tubes[c]: self._objects[r] for r, c in assign_most(iou)} if iou.size else {}


def rename(ids: np.ndarray, names: Mapping[int, int]) -> np.ndarray:
    """The map int32 [H, W] with every id in its new name; ids without one become 0."""
    runs = LabelRuns.from_map(ids)
    known, place = np.unique(runs.ids, return_inverse=True)
    renamed = np.array([names.get(i, 0) for i in known.tolist()], np.int32)
    return LabelRuns(runs.shape, runs.starts, renamed[place.reshape(-1)]).to_map()


def _sum_by(ids: list[int], pixels: list[int]) -> dict[int, int]:
    areas: dict[int, int] = {}
    for segment_id, count in zip(ids, pixels):
        areas[segment_id] = areas.get(segment_id, 0) + count
    return areas
