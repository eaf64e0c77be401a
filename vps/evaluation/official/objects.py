"""Score masks of objects (VIPOSeg, DAVIS, YouTube-VOS) in folders of palette PNGs."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

from vps.evaluation.official.evaluation import Evaluation, RunOptions, run_evaluation
from vps.evaluation.official.object_folders import (
    davis_tasks,
    read_seen_classes,
    viposeg_tasks,
    youtube_vos_tasks,
)
from vps.evaluation.official.runner import Outcome
from vps.evaluation.official.state import ObjectStateFolder
from vps.evaluation.official.tasks import ObjectTask
from vps.io.png_file import PngFile, read_png_file
from vps.metrics import (
    DavisQuality,
    DavisRules,
    VIPOSegQuality,
    VIPOSegRules,
    YouTubeVOSQuality,
)
from vps.metrics.boundary import present_ids
from vps.metrics.object_frames import ObjectFrame
from vps.structures import InputError

OBJECT_MODES = ("viposeg", "davis2016", "davis2017", "youtube_vos")


@dataclass
class ObjectScorer:
    """Streams one video through a fresh copy of the metric, one frame at a time."""

    metrics: dict[str, Any]
    state: ObjectStateFolder | None = None

    def prepare(self, task: ObjectTask) -> None:
        """Read a frame, which loads all that reading needs."""
        if task.frame_ids and not (self.state and self.state.reuse):
            with contextlib.suppress(InputError):
                read_png_file(task.gt_paths[0]).decode_labels()

    def __call__(self, task: ObjectTask) -> Outcome:
        fingerprint = task.fingerprint() if self.state else ""
        if self.state and (kept := self.state.load(task.video_id, fingerprint)):
            return replace(kept, reused=True)
        metrics = {name: metric.fresh() for name, metric in self.metrics.items()}
        hashes = hashlib.sha256(), hashlib.sha256()
        for metric in metrics.values():  # there is one: frames stream through once
            metric.update(
                task.video_id,
                read_frames(task, hashes),
                references=read_references(task),
                object_classes=task.object_classes,
            )
        outcome = Outcome(
            task.video_id, len(task), metrics, *(digest.hexdigest() for digest in hashes)
        )
        if self.state:
            self.state.save(outcome, fingerprint)
        return outcome


def read_frames(task: ObjectTask, hashes: tuple[Any, Any]) -> Iterator[ObjectFrame]:
    """(name, ground truth, prediction) of each frame, label maps uint8 [H, W].

    Args:
        hashes: of the ground truth and of the predictions; brought up to date.

    Raises:
        InputError: a file is missing or damaged, no palette PNG, or of another size.
    """
    for name, gt_path, pred_path in zip(task.frame_ids, task.gt_paths, task.pred_paths):
        truth = read_png_file(gt_path)
        labels = truth.decode_labels()
        hashes[0].update(truth.digest)
        if pred_path is None:  # a frame that is given, not scored
            yield name, labels, labels
            continue
        prediction = read_png_file(pred_path)
        _check_size(truth, prediction)
        hashes[1].update(prediction.digest)
        yield name, labels, prediction.decode_labels()


def read_references(task: ObjectTask) -> dict[int, list[int]] | None:
    """{object: the frames that give its mask}, from the PNGs of references or from the table."""
    if not task.reference_paths:
        return None if task.references is None else {n: [i] for n, i in task.references.items()}
    references: dict[int, list[int]] = {}
    for index, path in sorted(task.reference_paths.items()):
        labels = present_ids(read_png_file(path).decode_labels())
        for number in labels[labels > 0].tolist():
            references.setdefault(number, []).append(index)
    return references


def evaluate_objects(
    mode: str,
    gt: str | os.PathLike,
    pred: str | os.PathLike,
    *,
    split: str = "val",
    resolution: str = "480p",
    train_meta: str | os.PathLike | None = None,
    rules: VIPOSegRules | DavisRules | None = None,
    allow_extra: bool = False,
    run: RunOptions | None = None,
) -> Evaluation:
    """Score masks of objects in files.

    Args:
        mode: one of ``OBJECT_MODES``.
        gt: root of the data set (VIPOSeg: ``valid``).
        pred: folder with a folder of palette PNGs per video.
        split, resolution: of DAVIS.
        train_meta: of YouTube-VOS, the meta.json of the training set, whose classes are "seen".
        rules: of VIPOSeg or DAVIS, one by one; None: the official ones.
        allow_extra: ignore predictions of videos and frames that the ground truth does not know.
        run: workers, progress and state.

    Raises:
        InputError: bad input; names file and id.
    """
    run = run or RunOptions()
    settings: dict[str, Any] = {"allow_extra": allow_extra, "skip_broken": run.skip_broken}
    if mode == "viposeg":
        metric: Any = VIPOSegQuality(rules=rules)
        tasks = viposeg_tasks(gt, pred, allow_extra=allow_extra)
    elif mode in ("davis2016", "davis2017"):
        year = int(mode[-4:])
        metric = DavisQuality(year, rules=rules)
        settings |= {"split": split, "resolution": resolution}
        tasks = davis_tasks(
            gt, pred, year=year, split=split, resolution=resolution, allow_extra=allow_extra
        )
    elif mode == "youtube_vos":
        seen = None if train_meta is None else read_seen_classes(train_meta)
        metric = YouTubeVOSQuality(seen_classes=seen)
        settings["seen_classes"] = None if seen is None else sorted(seen)
        tasks = youtube_vos_tasks(gt, pred, allow_extra=allow_extra)
    else:
        raise InputError(f"expected a mode of {', '.join(OBJECT_MODES)}, got {mode!r}")
    if hasattr(metric, "rules"):
        settings["rules"] = asdict(metric.rules)
    tasks = [replace(task, settings=f"{mode} {settings}") for task in tasks]
    metrics = {mode: metric}
    evaluation = Evaluation(
        mode, metrics, settings, inputs={"gt": os.fspath(gt), "pred": os.fspath(pred)}
    )
    state = None
    if run.state is not None:
        state = ObjectStateFolder(run.state, reuse=run.resume)
    return run_evaluation(evaluation, tasks, ObjectScorer(metrics, state), run)


def _check_size(truth: PngFile, prediction: PngFile) -> None:
    if truth.size != prediction.size:
        raise InputError(
            f"expected a prediction of {truth.height}x{truth.width} (height x width, the size of "
            f"the ground truth), got {prediction.height}x{prediction.width} in {prediction.path}"
        )
