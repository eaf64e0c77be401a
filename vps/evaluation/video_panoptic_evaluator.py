"""Score a model's videos while it makes them: PQ, VPQ, STQ and mIoU in one pass over the frames.

A frame becomes a small table as soon as the model gives it and is then forgotten, so memory does
not grow with the pixels of a video. Videos may be spread over any number of processes: what travels
at the end are the metrics' counts, and the scores are the same to the last bit.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import vps
from vps.d2.data import DatasetCatalog, MetadataCatalog
from vps.d2.evaluation import DatasetEvaluator
from vps.d2.utils import comm
from vps.evaluation.predicted_frames import check_predictions
from vps.io import atomic_write, read_ground_truth, write_json
from vps.io.results import ResultWriter, frames_to_submit, open_result_writer
from vps.metrics import (
    FrameTable,
    PanopticQuality,
    PanopticScores,
    SegmentationTrackingQuality,
    STQResult,
    VideoPanopticQuality,
    VideoTables,
    VPQResult,
    format_table,
)
from vps.structures import InputError, PanopticFrame, VideoRecord

logger = logging.getLogger(__name__)


class VideoPanopticEvaluator(DatasetEvaluator):
    """A Detectron2 evaluator for video panoptic models.

    It reads ``outputs[i]["frames"]``, an iterator that runs the model and can be read once. Another
    evaluator of the same outputs goes beside it in ``SharedPassEvaluators``.

    ``evaluate()`` returns, on the main process, ``{"panoptic_video": {name: percent}}`` with

    * ``VPQ``, ``VPQ_th``, ``VPQ_st``: means over ``windows``; ``VPQ1``, ``VPQ2``, ...: one window;
    * ``PQ``, ``SQ``, ``RQ`` (also ``_th``, ``_st``): of single frames, as Detectron2 names them;
    * ``STQ``, ``AQ``, ``SQ_stq``, ``mIoU``; ``VPQ-<class>`` for every class that occurs.

    Everything in this dict is percent, STQ too (papers print it as a fraction). Values that are
    undefined, such as VPQ of a window longer than every video, are left out and logged with the
    reason. ``scores.json`` holds all of it as fractions, with the counts.
    """

    def __init__(
        self,
        dataset_name: str,
        *,
        windows: Sequence[int] = (1, 2, 4, 6),
        output_dir: str | os.PathLike | None = None,
        distributed: bool = True,
        save_results: bool = False,
        result_form: str = "panoptic",
    ) -> None:
        """
        Args:
            dataset_name: a registered data set whose metadata has ``categories``.
            windows: lengths of VPQ's windows, in labelled frames.
            output_dir: the folder of this evaluation, ``OUTPUT_DIR/inference/<dataset_name>`` by
                convention; ``scores.json`` and its table ``scores.txt`` are written
                there. None: nothing is written.
            distributed: gather from all processes; else every process scores what it has seen.
            save_results: also write the predictions, into ``<output_dir>/results``.
            result_form: in which form, one of ``vps.io.results.RESULT_FORMS``.
        """
        if save_results and output_dir is None:
            raise InputError("expected an output_dir to save results in, got None")
        self._dataset_name = dataset_name
        self._categories = tuple(MetadataCatalog.get(dataset_name).categories)
        self._windows = tuple(windows)
        self._folder = None if output_dir is None else Path(output_dir)
        self._distributed = distributed
        self._result_form = result_form
        self._writer = self._make_writer() if save_results else None
        self.reset()

    def reset(self) -> None:
        """Forget all videos."""
        self._vpq = VideoPanopticQuality(self._categories, self._windows)
        self._pq = PanopticQuality(self._categories)
        self._stq = SegmentationTrackingQuality(self._categories)
        self._written: list[str] = []
        self._frames = 0
        self._seconds = 0.0

    def process(self, inputs: Iterable[VideoRecord], outputs: Iterable[dict[str, Any]]) -> None:
        """Run and score videos.

        Args:
            inputs: the records.
            outputs: for each record {"frames": iterator of one PanopticFrame per frame of the
                record, in order}.

        Raises:
            InputError: frames are missing, too many, out of order or of the wrong size, or ground
                truth or prediction is inconsistent; names the video and the frame.
        """
        for record, output in zip(inputs, outputs, strict=True):
            begin = time.perf_counter()
            tables = self._read_tables(record, output["frames"])
            self._seconds += time.perf_counter() - begin
            self._frames += record["length"]
            if not tables:
                logger.warning(
                    "video %s has no labelled frame and is not scored", record["video_id"]
                )
                continue
            video = VideoTables.from_frames(record["video_id"], tables)
            for metric in (self._vpq, self._pq, self._stq):
                metric.update(video)

    def evaluate(self) -> OrderedDict[str, dict[str, float]] | None:
        """Scores in percent on the main process (see the class), None on the others."""
        if self._frames:
            logger.info(
                "%d frames were predicted and scored in %.1f s (%.1f ms each)",
                self._frames,
                self._seconds,
                1000 * self._seconds / self._frames,
            )
        vpq, pq, stq, written = self._vpq, self._pq, self._stq, self._written
        if self._distributed and comm.get_world_size() > 1:
            states = comm.gather((vpq, pq, stq, written), dst=0)
            if not comm.is_main_process():
                return None
            vpq, pq, stq, written = states[0]
            for other_vpq, other_pq, other_stq, other_written in states[1:]:
                vpq.merge(other_vpq)
                pq.merge(other_pq)
                stq.merge(other_stq)
                written = written + other_written
        results = self._report(vpq, pq, stq)
        if self._writer is not None and written:
            self._writer.finish(self._in_order(written))
        return results

    def _read_tables(
        self, record: VideoRecord, predictions: Iterator[PanopticFrame]
    ) -> list[FrameTable]:
        """Run through a video once; the tables of its labelled frames."""
        video_id, tables = record["video_id"], []
        with contextlib.ExitStack() as stack:
            video_writer = None
            if self._writer is not None:
                wanted = frames_to_submit(self._result_form, record)
                video_writer = stack.enter_context(self._writer.video(video_id, frame_ids=wanted))
            for index, prediction in check_predictions(record, predictions):
                if record["labelled"][index]:
                    truth = read_ground_truth(record, index)
                    tables.append(FrameTable.from_frames(truth, prediction, video_id=video_id))
                if video_writer is not None:
                    video_writer.write(prediction)
                del prediction  # or it would live on while the model makes the next one
        if self._writer is not None:
            self._written.append(video_id)
        return tables

    def _report(
        self,
        vpq_metric: VideoPanopticQuality,
        pq_metric: PanopticQuality,
        stq_metric: SegmentationTrackingQuality,
    ) -> OrderedDict[str, dict[str, float]]:
        vpq, pq, stq = vpq_metric.compute(), pq_metric.compute(), stq_metric.compute()
        results, undefined = summarize(vpq, pq, stq)
        table = (
            f"Scores on {self._dataset_name} in percent, {len(vpq.per_video)} videos with "
            f"{sum(vpq.num_frames.values())} labelled frames:\n"
            f"{format_table(vpq, stq, per_class=True)}"
        )
        logger.info("%s", table)
        for name, reason in undefined.items():
            logger.warning("%s is undefined on %s: %s", name, self._dataset_name, reason)
        if self._folder is not None:
            scores = {
                "dataset": self._dataset_name,
                "code_version": vps.__version__,
                "num_videos": len(vpq.per_video),
                "num_labelled_frames": sum(vpq.num_frames.values()),
                "percent": results,
                "undefined": undefined,
                vpq.name: vpq.as_dict(),
                "PQ": pq.as_dict(),
                "STQ": stq.as_dict(),
                "rules": {"vpq": asdict(vpq_metric.rules), "stq": asdict(stq_metric.rules)},
            }
            write_json(self._folder / "scores.json", scores, indent=1)
            with atomic_write(self._folder / "scores.txt", "w") as file:
                file.write(table + "\n")
            logger.info("Wrote %s and scores.txt", self._folder / "scores.json")
        return OrderedDict(panoptic_video=results)

    def _make_writer(self) -> ResultWriter:
        return open_result_writer(self._result_form, self._folder / "results", self._categories)

    def _in_order(self, written: Sequence[str]) -> list[str]:
        """The videos in the order of the data set, by which the official programs pair them."""
        if self._result_form == "panoptic" or self._dataset_name not in DatasetCatalog:
            return sorted(written)
        records = DatasetCatalog.get(self._dataset_name)
        return [record["video_id"] for record in records]


def summarize(
    vpq: VPQResult, pq: PanopticScores, stq: STQResult
) -> tuple[dict[str, float], dict[str, str]]:
    """The flat dict that ``evaluate()`` returns, in percent, and why names are missing from it."""
    values: dict[str, tuple[float | None, str | None]] = {}
    suffixes = {"all": "", "things": "_th", "stuff": "_st"}
    for group, suffix in suffixes.items():
        values[f"VPQ{suffix}"] = getattr(vpq, group), vpq.reasons.get(group)
    for window, scores in vpq.per_window.items():
        values[f"VPQ{window}"] = scores.all.pq, scores.all.reason
    for group, suffix in suffixes.items():
        means = getattr(pq, group)
        for name in ("pq", "sq", "rq"):
            values[f"{name.upper()}{suffix}"] = getattr(means, name), means.reason
    total, semantic = stq.total, stq.semantic
    values["STQ"] = total.stq, total.reason
    values["AQ"] = total.aq, total.reason
    values["SQ_stq"] = total.sq, total.reason
    values["mIoU"] = semantic.miou, semantic.reason
    for category, mean in vpq.per_class.items():
        values[f"VPQ-{pq.categories[category].name}"] = mean, None
    percent = {name: 100 * value for name, (value, _) in values.items() if value is not None}
    undefined = {name: str(why) for name, (value, why) in values.items() if value is None}
    return percent, undefined
