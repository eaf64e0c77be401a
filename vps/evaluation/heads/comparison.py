"""Compare heads: the same videos, the same evaluators, one line for each answer of each head."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vps
from vps.evaluation.heads.cost import CostByObjects, bin_name, bin_names
from vps.evaluation.heads.head import Head, run_head
from vps.evaluation.heads.scoring import HeadScores
from vps.evaluation.object_metrics import ObjectTruth
from vps.evaluation.object_scores import flat_scores
from vps.io.results import PanopticResultWriter, read_results
from vps.metrics import STQResult, VIPOSegResult, VPQResult
from vps.structures import InputError, VideoRecord


@dataclass(frozen=True)
class HeadReport:
    """What came out for one head.

    Attributes:
        name, kind, description, trained_on: of the head.
        given_classes: its classes are the ground truth's, which came with the masks; VPQ and STQ
            then say how well it follows, not how well it recognises.
        panoptic: {frames: {"VPQ": percent, "STQ": percent, ...}}; empty where the data set has one
            class, or others than the head.
        objects: {answer: {rule: {"G": percent, ..., "J&F": percent, ...}}}.
        undefined: {"answer or frames, name": why}.
        crowd: {answer: {bin: (object-frames, mean of mask and boundary IoU as a fraction)}}, under
            the official rule of VIPOSeg.
        cost: time and memory.
    """

    name: str
    kind: str
    description: dict[str, str]
    trained_on: tuple[str, ...]
    given_classes: bool
    panoptic: dict[str, dict[str, float]]
    objects: dict[str, dict[str, dict[str, float]]]
    undefined: dict[str, str | None]
    crowd: dict[str, dict[str, tuple[int, float]]]
    cost: CostByObjects

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file; scores in percent."""
        return {
            "name": self.name,
            "kind": self.kind,
            **self.description,
            "trained_on": list(self.trained_on),
            "given_classes": self.given_classes,
            "panoptic": self.panoptic,
            "objects": self.objects,
            "undefined": self.undefined,
            "crowd": {
                answer: {
                    name: {"object_frames": frames, "iou": iou}
                    for name, (frames, iou) in bins.items()
                }
                for answer, bins in self.crowd.items()
            },
            "cost": self.cost.as_dict(),
        }


@dataclass(frozen=True)
class Comparison:
    """All heads on one data set."""

    dataset: str
    num_videos: int
    num_frames: int
    windows: tuple[int, ...]
    heads: list[HeadReport]
    warnings: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return {
            "dataset": self.dataset,
            "code_version": vps.__version__,
            "num_videos": self.num_videos,
            "num_frames": self.num_frames,
            "vpq_windows": list(self.windows),
            "warnings": list(self.warnings),
            "heads": [head.as_dict() for head in self.heads],
        }


def compare_heads(
    heads: Iterable[Head],
    dataset_name: str,
    records: Sequence[VideoRecord],
    folder: str | os.PathLike,
    *,
    windows: Sequence[int] = (1, 2, 4, 6),
    warnings: Sequence[str] = (),
    progress: Callable[[str, str], None] = lambda head, video_id: None,
) -> Comparison:
    """Run every head over all videos and score what it predicts.

    Args:
        heads: taken one by one, and let go before the next one is asked for.
        dataset_name: the registered data set that the records are of.
        records: the videos.
        folder: predictions go to ``<folder>/<name of the head>`` as results that
            ``tools/evaluate.py`` can read.
        windows: of VPQ, in labelled frames.
        warnings: sentences that belong beside the scores.
        progress: called with the names of head and video when a video was run, and again when it
            was scored.

    Raises:
        InputError: there is no video, two heads have one name, or a head or a file is at fault.
    """
    if not records:
        raise InputError(f"expected videos of {dataset_name} to compare heads on, got none")
    truths = [ObjectTruth.of_record(record) for record in records]
    reports: list[HeadReport] = []
    for head in heads:
        if head.name in [report.name for report in reports]:
            raise InputError(f"expected heads with names of their own, got {head.name!r} twice")
        writer = PanopticResultWriter(Path(folder, head.name), head.categories)
        scores = HeadScores(head, dataset_name, windows=windows)
        for record, truth in zip(records, truths):
            run_head(head, record, writer, truth.followed(record["length"]))
            progress(head.name, record["video_id"])
        writer.finish([record["video_id"] for record in records])
        results = read_results(writer.folder)
        for record, truth in zip(records, truths):
            begin = time.perf_counter()
            scores.update(record, truth, results.videos[record["video_id"]])
            head.cost.scoring += time.perf_counter() - begin
            progress(head.name, record["video_id"])
        reports.append(_report(head, scores))
        del head
    return Comparison(
        dataset_name,
        len(records),
        sum(record["length"] for record in records),
        tuple(windows),
        reports,
        tuple(warnings),
    )


def _report(head: Head, scores: HeadScores) -> HeadReport:
    panoptic: dict[str, dict[str, float]] = {}
    undefined: dict[str, str | None] = {}
    for frames, metrics in scores.panoptic.items():
        values, missing = _panoptic_scores(metrics["vpq"].compute(), metrics["stq"].compute())
        panoptic[frames] = values
        undefined |= {f"{frames}, {name}": why for name, why in missing.items()}
    objects: dict[str, dict[str, dict[str, float]]] = {}
    crowd = {}
    for answer, by_rule in scores.objects.items():
        objects[answer] = {}
        for rule, metrics in by_rule.items():
            objects[answer][rule] = {}
            for metric in metrics.values():
                result = metric.compute()
                values, missing = flat_scores(result)
                objects[answer][rule] |= values
                undefined |= {f"{answer}, {rule}, {n}": why for n, why in missing.items()}
                if isinstance(result, VIPOSegResult) and rule == "official":
                    crowd[answer] = crowd_curve(result)
    return HeadReport(
        head.name,
        head.kind,
        dict(head.description),
        tuple(head.trained_on),
        head.kind == "vos",
        panoptic,
        objects,
        undefined,
        crowd,
        head.cost,
    )


def _panoptic_scores(
    vpq: VPQResult, stq: STQResult
) -> tuple[dict[str, float], dict[str, str | None]]:
    """{name: percent} of what is defined, and {name: why} of what is not."""
    total, reasons = stq.total, vpq.reasons
    rows = {
        "VPQ": (vpq.all, reasons.get("all")),
        "VPQ_th": (vpq.things, reasons.get("things")),
        "VPQ_st": (vpq.stuff, reasons.get("stuff")),
        **{f"VPQ{k}": (one.all.pq, one.all.reason) for k, one in vpq.per_window.items()},
        "STQ": (total.stq, total.reason),
        "AQ": (total.aq, total.reason),
        "SQ": (total.sq, total.reason),
        "mIoU": (stq.semantic.miou, stq.semantic.reason),
    }
    return (
        {name: 100 * value for name, (value, _) in rows.items() if value is not None},
        {name: why for name, (value, why) in rows.items() if value is None},
    )


def crowd_curve(result: VIPOSegResult) -> dict[str, tuple[int, float]]:
    """{bin of numbers of objects: (object-frames, mean IoU as a fraction)}, of bins that occur."""
    sums: dict[str, tuple[int, float]] = {}
    for objects, (frames, mean) in result.crowd.items():
        name = bin_name(objects)
        before = sums.get(name, (0, 0.0))
        sums[name] = before[0] + frames, before[1] + frames * mean
    return {n: (sums[n][0], sums[n][1] / sums[n][0]) for n in bin_names() if n in sums}
