"""One head's predictions on disk, scored as panoptic segmentation and as object segmentation.

Every head is scored by the same metrics over the same frames:

* panoptic: VPQ and STQ over all labelled frames, and once more without the frames that give a mask,
  where a head that is handed the mask is perfect;
* objects: VIPOSeg and J&F, under the official rule (an object counts from the frame after its mask
  is given), and twice more: with the frame that gives the mask counted too, and with what is
  predicted on void taken away, which a panoptic model labels and the ground truth does not.

A panoptic head has two answers about objects (see ``answers``), a head that follows given masks has
one. Data sets of a single class (DAVIS, YouTube-VOS) get neither panoptic scores nor those without
void: all around their objects is background, on which a prediction is wrong, and not void.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from vps.d2.data import MetadataCatalog
from vps.evaluation.heads.answers import CausalTubes, TubeOverlaps, rename
from vps.evaluation.heads.head import Head
from vps.evaluation.object_metrics import ObjectTruth, make_object_metric
from vps.evaluation.shared_pass import share_items
from vps.io import iterate_references, read_ground_truth
from vps.metrics import (
    DavisQuality,
    DavisRules,
    FrameTable,
    SegmentationTrackingQuality,
    VideoPanopticQuality,
    VideoTables,
)
from vps.metrics.object_frames import ObjectFrame
from vps.structures import Category, PanopticFrame, VideoRecord

# What an answer is named, per kind of head.
ANSWERS = {"vps": ("causal", "oracle"), "vos": ("own ids",)}
PANOPTIC_FRAMES = ("all frames", "without reference frames")
OBJECT_RULES = ("official", "reference frames too", "void ignored")

Translate = Callable[[PanopticFrame | None, PanopticFrame], np.ndarray]


class HeadScores:
    """The metrics of one head; takes video after video.

    Attributes:
        panoptic: {of PANOPTIC_FRAMES: {"vpq": metric, "stq": metric}}; empty where the head's
            classes are not those of the data set, or where there is only one.
        objects: {answer: {of OBJECT_RULES: {"viposeg": metric, "davis": metric}}}.
    """

    def __init__(
        self, head: Head, dataset_name: str, *, windows: Sequence[int] = (1, 2, 4, 6)
    ) -> None:
        categories = tuple(MetadataCatalog.get(dataset_name).categories)
        self.panoptic: dict[str, dict[str, Any]] = {}
        if len(categories) > 1 and _names(head.categories) == _names(categories):
            self.panoptic = {
                frames: {
                    "vpq": VideoPanopticQuality(categories, tuple(windows)),
                    "stq": SegmentationTrackingQuality(categories),
                }
                for frames in PANOPTIC_FRAMES
            }
        rules = [r for r in OBJECT_RULES if len(categories) > 1 or r != "void ignored"]
        self.objects = {
            answer: {rule: _object_metrics(dataset_name, rule) for rule in rules}
            for answer in ANSWERS[head.kind]
        }

    def update(
        self, record: VideoRecord, truth: ObjectTruth, predictions: Iterable[PanopticFrame]
    ) -> None:
        """Score one video.

        Args:
            record: the video.
            truth: its objects.
            predictions: of all its frames, in order; iterated once per answer and once more.
        """
        tubes = TubeOverlaps(truth.references)
        tables = []
        for table in _tables(record, predictions):
            tubes.add(table)
            tables.append(table)
        self._update_panoptic(record, truth, tables)
        if not truth.references:
            return
        for answer, by_rule in self.objects.items():
            consumers = [
                partial(_update_metric, metric, rule, truth)
                for rule, metrics in by_rule.items()
                for metric in metrics.values()
            ]
            frames = _answered_frames(record, predictions, _translation(answer, tubes))
            share_items(frames, consumers)

    def _update_panoptic(
        self, record: VideoRecord, truth: ObjectTruth, tables: list[FrameTable]
    ) -> None:
        given = {frame for frames in truth.references.values() for frame in frames}
        chosen = {
            "all frames": tables,
            "without reference frames": [t for i, t in enumerate(tables) if i not in given],
        }
        for name, metrics in self.panoptic.items():
            if chosen[name]:
                video = VideoTables.from_frames(record["video_id"], chosen[name])
                for metric in metrics.values():
                    metric.update(video)


def _names(categories: Sequence[Category]) -> list[tuple[str, bool]]:
    return [(category.name, category.isthing) for category in categories]


def _object_metrics(dataset_name: str, rule: str) -> dict[str, Any]:
    davis = make_object_metric("davis", dataset_name)
    if rule == "reference frames too":  # there a frame is put before the first, see below
        davis = DavisQuality(rules=DavisRules(objects="references", void_label=None))
    return {"viposeg": make_object_metric("viposeg", dataset_name), "davis": davis}


def _tables(record: VideoRecord, predictions: Iterable[PanopticFrame]) -> Iterator[FrameTable]:
    for index, prediction in enumerate(predictions):
        if record["labelled"][index]:
            truth = read_ground_truth(record, index)
            yield FrameTable.from_frames(truth, prediction, video_id=record["video_id"])


def _translation(answer: str, tubes: TubeOverlaps) -> Translate:
    """A function of (masks given at a frame, prediction) that gives the map of objects there."""
    if answer == "own ids":
        return lambda given, prediction: prediction.ids
    if answer == "oracle":
        assigned = tubes.oracle()
        return lambda given, prediction: rename(prediction.ids, assigned)
    causal = CausalTubes()
    return lambda given, prediction: rename(prediction.ids, causal.update(given, prediction))


def _answered_frames(
    record: VideoRecord, predictions: Iterable[PanopticFrame], translate: Translate
) -> Iterator[ObjectFrame]:
    """(name, ground truth, answer) of the labelled frames."""
    for index, (given, prediction) in enumerate(zip(iterate_references(record), predictions)):
        answer = translate(given, prediction)
        if record["labelled"][index]:
            yield prediction.frame_id, read_ground_truth(record, index).ids, answer


def _update_metric(
    metric: Any, rule: str, truth: ObjectTruth, frames: Iterator[ObjectFrame]
) -> None:
    metric.update(truth.video_id, _RULES[rule](frames), **truth.arguments(metric))


def _with_reference_frames(frames: Iterator[ObjectFrame]) -> Iterator[ObjectFrame]:
    """An empty frame before the first. So a mask that frame t gives seems to be given by the frame
    before it, and frame t counts.
    """
    for index, (name, truth, answer) in enumerate(frames):
        if index == 0:
            yield "before the first", np.zeros_like(truth), np.zeros_like(answer)
        yield name, truth, answer


def _without_void(frames: Iterator[ObjectFrame]) -> Iterator[ObjectFrame]:
    for name, truth, answer in frames:
        yield name, truth, np.where(truth == 0, 0, answer)


_RULES: dict[str, Callable[[Iterator[ObjectFrame]], Iterator[ObjectFrame]]] = {
    "official": lambda frames: frames,
    "reference frames too": _with_reference_frames,
    "void ignored": _without_void,
}
