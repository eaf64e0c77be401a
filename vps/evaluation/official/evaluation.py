"""Score predictions on disk against ground truth on disk: files in, metrics out.

    evaluation = evaluate_panoptic("vipseg", "panomasksRGB", "results", gt_json="panoptic_gt.json")
    evaluation.results["vpq"].all

Every picture is read once, whatever the number of metrics.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from vps.evaluation.official.layouts import PngFolder, find_ground_truth, find_predictions
from vps.evaluation.official.modes import PANOPTIC_MODES, PanopticMode
from vps.evaluation.official.pairing import PairingOptions, pair_predictions
from vps.evaluation.official.panoptic_json import read_panoptic_json
from vps.evaluation.official.runner import Outcome, Scorer, StartMethod, Task, run_tasks
from vps.evaluation.official.state import StateFolder
from vps.evaluation.official.tables import read_frame_table, read_video_tables
from vps.evaluation.official.tasks import PanopticTask
from vps.io.video_names import VIDEO_NAMES
from vps.metrics import (
    MeanIoU,
    PanopticQuality,
    SegmentationTrackingQuality,
    STQRules,
    VideoPanopticQuality,
)
from vps.structures import Category, InputError

PANOPTIC_METRICS = ("vpq", "stq", "pq", "miou")
_MOST_REMARKS = 20  # kept word for word; the others are counted


@dataclass
class RunOptions:
    """How to run, which changes no score.

    Attributes:
        workers: number of processes.
        start_method: how the processes start, see ``run_tasks``.
        skip_broken: leave out videos that cannot be scored and list them, instead of stopping.
        state: folder that keeps what was read, one file per video; None: nothing is kept.
        resume: take finished videos from ``state``.
        start: called with the tasks before the first of them is read.
        progress: called with the outcome of every finished video.
    """

    workers: int = 1
    start_method: StartMethod = "auto"
    skip_broken: bool = False
    state: str | os.PathLike | None = None
    resume: bool = False
    start: Callable[[Sequence[Task]], None] = lambda tasks: None
    progress: Callable[[Outcome], None] = lambda outcome: None


@dataclass
class Evaluation:
    """The scores of one run and all that is needed to compare them with others.

    Attributes:
        mode: name of the protocol.
        metrics: {name: metric with all videos}; ``results`` are their results.
        settings: plain values that decide the scores.
        inputs: the paths.
        categories: the classes, contiguous; None for modes without.
        num_frames: {video id: frames that were scored}.
        skipped: {video id: why it was left out}.
        remarks: sentences on what changed no score; ``num_remarks`` counts those not kept too.
        dataset_hash, predictions_hash: SHA-256 of tables and PNGs of all scored videos.
        reused: videos that were taken from the state of an earlier run.
    """

    mode: str
    metrics: dict[str, Any]
    settings: dict[str, Any]
    inputs: dict[str, str]
    categories: tuple[Category, ...] | None = None
    num_frames: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    num_remarks: int = 0
    dataset_hash: str = ""
    predictions_hash: str = ""
    reused: int = 0
    results: dict[str, Any] = field(default_factory=dict)


@dataclass
class PanopticScorer:
    """Reads one video and gives it to fresh copies of the metrics."""

    metrics: dict[str, Any]
    state: StateFolder | None = None

    def prepare(self, task: PanopticTask) -> None:
        """Read a frame, which loads all that reading and counting need."""
        if task.frames and not (self.state and self.state.reuse):
            with contextlib.suppress(InputError):
                read_frame_table(task.frames[0], task)

    def __call__(self, task: PanopticTask) -> Outcome:
        fingerprint = task.fingerprint() if self.state else ""
        read = self.state.load(task.video_id, fingerprint) if self.state else None
        reused = read is not None
        if read is None:
            read = read_video_tables(task)
            if self.state:
                self.state.save(read, fingerprint)
        metrics = {name: metric.fresh() for name, metric in self.metrics.items()}
        for metric in metrics.values():
            metric.update(read.tables)
        return Outcome(
            task.video_id,
            len(task),
            metrics,
            read.gt_digest,
            read.pred_digest,
            read.remarks,
            reused=reused,
        )


def evaluate_panoptic(
    mode: str | PanopticMode,
    gt: str | os.PathLike,
    pred: str | os.PathLike,
    *,
    gt_json: str | os.PathLike | None = None,
    pred_json: str | os.PathLike | None = None,
    metrics: Sequence[str] | None = None,
    windows: Sequence[int] | None = None,
    stq_rules: STQRules | Literal["vipseg", "deeplab2"] = "vipseg",
    pair: Literal["auto", "position", "id"] = "auto",
    video_of: str | None = None,
    allow_extra: bool = False,
    lenient: bool = False,
    run: RunOptions | None = None,
) -> Evaluation:
    """Score panoptic predictions in files.

    Args:
        mode: a key of ``PANOPTIC_MODES``, or a protocol of one's own.
        gt: folder of the ground truth's PNGs, or a folder in this project's own layout.
        pred: folder of the predictions (see ``vps.evaluation.official.layouts``).
        gt_json, pred_json: the JSONs, where they are not found in these folders.
        metrics: of "vpq", "stq", "pq", "miou"; None: those of the mode.
        windows: of VPQ, in labelled frames; None: those of the mode.
        stq_rules: whose STQ, or its rules one by one.
        pair: "auto" is by id for files of our own writer and for COCO, else by position.
        video_of: how a flat file names its videos, a key of ``VIDEO_NAMES``; None: as the mode.
        allow_extra: ignore predictions of videos and frames that the ground truth does not know.
        lenient: score a ground truth whose JSON and PNG disagree, as the official programs do.
        run: workers, progress and state.

    Raises:
        InputError: bad input; names file and id.
    """
    mode = _mode(mode)
    run = run or RunOptions()
    chosen = tuple(metrics or mode.metrics)
    if unknown := [name for name in chosen if name not in PANOPTIC_METRICS]:
        raise InputError(f"expected metrics of {', '.join(PANOPTIC_METRICS)}, got {unknown[0]!r}")
    if (video_of or mode.video_of) not in VIDEO_NAMES:
        raise InputError(f"expected video_of in {', '.join(VIDEO_NAMES)}, got {video_of!r}")
    if pair not in ("auto", "position", "id"):
        raise InputError(f"expected pair in auto, position, id, got {pair!r}")
    truth_files, pred_files = find_ground_truth(gt, gt_json), find_predictions(pred, pred_json)
    if pair == "auto":
        pair = "id" if pred_files.own else mode.pair
    truth = read_panoptic_json(truth_files.json_path)
    options = PairingOptions(
        pair=pair,
        video_of=VIDEO_NAMES[video_of or mode.video_of],
        ordered=(video_of or mode.video_of) != "image",
        allow_extra=allow_extra,
        strict=not lenient,
    )
    tasks = pair_predictions(
        truth,
        read_panoptic_json(pred_files.json_path),
        PngFolder(truth_files.png_folder),
        PngFolder(pred_files.png_folder),
        options,
    )
    categories = tuple(truth.categories or ())
    del truth
    prototypes = _make_metrics(mode, categories, chosen, windows, stq_rules)
    settings = {
        "metrics": list(chosen),
        "pair": pair,
        "lenient": lenient,
        "allow_extra": allow_extra,
        "skip_broken": run.skip_broken,
        "excluded_classes": list(mode.excluded_classes),
        "rules": {
            name: asdict(metric.rules)
            for name, metric in prototypes.items()
            if hasattr(metric, "rules")
        },
    }
    if "vpq" in prototypes:
        settings["windows"] = list(prototypes["vpq"].windows)
        settings["window_step"] = mode.step
    evaluation = Evaluation(
        mode.name,
        prototypes,
        settings,
        inputs={
            "gt_json": truth_files.json_path,
            "gt": truth_files.png_folder,
            "pred_json": pred_files.json_path,
            "pred": pred_files.png_folder,
        },
        categories=categories,
    )
    state = StateFolder(run.state, reuse=run.resume) if run.state is not None else None
    return run_evaluation(evaluation, tasks, PanopticScorer(prototypes, state), run)


def run_evaluation(
    evaluation: Evaluation, tasks: Sequence[Task], scorer: Scorer, run: RunOptions
) -> Evaluation:
    """Score the tasks into ``evaluation.metrics`` (empty so far) and compute the results.

    Raises:
        InputError: a video cannot be scored and ``run.skip_broken`` is off, or none can.
    """
    run.start(tasks)
    evaluation.metrics = {name: m.fresh() for name, m in evaluation.metrics.items()}
    hashes = [hashlib.sha256(), hashlib.sha256()]
    for category in evaluation.categories or ():
        hashes[0].update(f"{category.dataset_id} {category.name} {category.isthing}\0".encode())
    outcomes = run_tasks(
        tasks,
        scorer,
        workers=run.workers,
        start_method=run.start_method,
        progress=run.progress,
    )
    for outcome in outcomes:
        if outcome.problem is not None:
            if not run.skip_broken:
                raise InputError(outcome.problem)
            evaluation.skipped[outcome.video_id] = outcome.problem
            continue
        for name, metric in outcome.metrics.items():
            evaluation.metrics[name].merge(metric)
        for digest, part in zip(hashes, (outcome.gt_digest, outcome.pred_digest)):
            digest.update(f"{outcome.video_id}\0{part}\0".encode())
        evaluation.num_frames[outcome.video_id] = outcome.num_frames
        evaluation.reused += outcome.reused
        _add_remarks(evaluation, outcome.remarks)
    if not evaluation.num_frames:
        first = next(iter(evaluation.skipped.values()), "there are none")
        raise InputError(f"no video could be scored: {first}")
    evaluation.dataset_hash, evaluation.predictions_hash = (h.hexdigest() for h in hashes)
    evaluation.results = {name: m.compute() for name, m in evaluation.metrics.items()}
    return evaluation


def _add_remarks(evaluation: Evaluation, remarks: Iterable[str]) -> None:
    for remark in remarks:
        evaluation.num_remarks += 1
        if len(evaluation.remarks) < _MOST_REMARKS:
            evaluation.remarks.append(remark)


def _mode(mode: str | PanopticMode) -> PanopticMode:
    if isinstance(mode, PanopticMode):
        return mode
    if mode not in PANOPTIC_MODES:
        raise InputError(f"expected a mode of {', '.join(PANOPTIC_MODES)}, got {mode!r}")
    return PANOPTIC_MODES[mode]


def _make_metrics(
    mode: PanopticMode,
    categories: Sequence[Category],
    chosen: Sequence[str],
    windows: Sequence[int] | None,
    stq_rules: STQRules | Literal["vipseg", "deeplab2"],
) -> dict[str, Any]:
    """Empty metrics by name, in the order of ``PANOPTIC_METRICS``."""
    stq: dict[str, Any] = {"mode": stq_rules}
    if isinstance(stq_rules, STQRules):
        stq = {"rules": stq_rules}
    makers = {
        "vpq": lambda: VideoPanopticQuality(
            categories,
            mode.windows if windows is None else windows,
            rules=mode.rules,
            excluded_classes=mode.excluded_classes,
        ),
        "stq": lambda: SegmentationTrackingQuality(categories, **stq),
        "pq": lambda: PanopticQuality(
            categories, rules=mode.rules, excluded_classes=mode.excluded_classes
        ),
        "miou": lambda: MeanIoU(categories),
    }
    return {name: make() for name, make in makers.items() if name in chosen}
