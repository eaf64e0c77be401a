"""Score a model's videos as video object segmentation while it makes them: VIPOSeg, J&F of DAVIS,
the surrogate of YouTube-VOS.

The model is given each object's mask once and follows it under the object's own id. Frames up to
and including the one that gives the mask are never scored; the rest is the benchmark's own rule. A
frame becomes a few numbers per object and is then forgotten. Videos may be spread over any number
of processes: the scores are the same to the last bit.
"""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import vps
from vps.d2.data import MetadataCatalog
from vps.d2.evaluation import DatasetEvaluator
from vps.d2.utils import comm
from vps.evaluation.object_metrics import OBJECT_METRICS, ObjectTruth, make_object_metric
from vps.evaluation.object_scores import ObjectResult, flat_scores, format_scores
from vps.evaluation.predicted_frames import check_predictions
from vps.evaluation.shared_pass import share_items
from vps.io import atomic_write, read_ground_truth, write_json
from vps.metrics.object_frames import ObjectFrame
from vps.structures import PanopticFrame, VideoRecord

logger = logging.getLogger(__name__)


class VideoObjectEvaluator(DatasetEvaluator):
    """A Detectron2 evaluator for models that follow given masks.

    It reads ``outputs[i]["frames"]`` once, for all its metrics. To score the same frames as
    panoptic segmentation too, put it and a ``VideoPanopticEvaluator`` into
    ``SharedPassEvaluators``.

    ``evaluate()`` returns, on the main process, one entry per metric, in percent:

    * ``viposeg``: G, Gs, Gu, Gth, Gsf, the eight parts (Mth_s: mask IoU, things, seen; ...) and
      lambda, the crowd decay, which is a rate;
    * ``davis``: J&F, J, F and their recalls and decays;
    * ``youtube_vos``: overall, J_seen, J_unseen, F_seen, F_unseen, and J and F of all objects.

    Undefined values are left out and logged with the reason. ``<metric>.json`` has everything as
    fractions, ``<metric>.txt`` the table.
    """

    def __init__(
        self,
        dataset_name: str,
        *,
        metrics: Sequence[str] | None = None,
        output_dir: str | os.PathLike | None = None,
        distributed: bool = True,
    ) -> None:
        """
        Args:
            dataset_name: a registered data set; see ``make_object_metric`` for its metadata.
            metrics: names of ``OBJECT_METRICS``; None: the ``evaluator_type`` of the data set.
            output_dir: folder of the files; None: nothing is written.
            distributed: gather from all processes; else every process scores what it has seen.

        Raises:
            InputError: a metric is unknown.
        """
        self._dataset_name = dataset_name
        kind = MetadataCatalog.get(dataset_name).get("evaluator_type")
        default = (kind,) if kind in OBJECT_METRICS else OBJECT_METRICS[:1]
        self._names = tuple(metrics or default)
        self._folder = None if output_dir is None else Path(output_dir)
        self._distributed = distributed
        self.reset()

    def reset(self) -> None:
        """Forget all videos."""
        self._metrics = {name: make_object_metric(name, self._dataset_name) for name in self._names}

    def process(self, inputs: Iterable[VideoRecord], outputs: Iterable[dict[str, Any]]) -> None:
        """Run and score videos.

        Args:
            inputs: the records.
            outputs: for each record {"frames": iterator of one PanopticFrame per frame of the
                record, in order, whose ids are those of the record's objects}.

        Raises:
            InputError: frames are missing, too many, out of order or of the wrong size, or the
                ground truth is inconsistent; names the video and the frame.
        """
        for record, output in zip(inputs, outputs, strict=True):
            truth = ObjectTruth.of_record(record) if any(record["labelled"]) else None
            if truth is None or not truth.references:
                lacks = "has no labelled frame" if truth is None else "gives no object"
                logger.warning("video %s %s and is not scored", record["video_id"], lacks)
                for _ in check_predictions(record, output["frames"]):
                    pass  # run it all the same: another evaluator may share the pass
                continue
            consumers = [
                partial(metric.update, truth.video_id, **truth.arguments(metric))
                for metric in self._metrics.values()
            ]
            share_items(labelled_frames(record, output["frames"]), consumers)

    def evaluate(self) -> OrderedDict[str, dict[str, float]] | None:
        """Scores on the main process (see the class), None on the others."""
        metrics = self._metrics
        if self._distributed and comm.get_world_size() > 1:
            states = comm.gather(metrics, dst=0)
            if not comm.is_main_process():
                return None
            metrics = states[0]
            for other in states[1:]:
                for name, metric in metrics.items():
                    metric.merge(other[name])
        return OrderedDict(
            (name, self._report(name, metric.compute(), len(metric.video_ids)))
            for name, metric in metrics.items()
        )

    def _report(self, name: str, result: ObjectResult, num_videos: int) -> dict[str, float]:
        scores, undefined = flat_scores(result)
        table = format_scores(name, result)
        logger.info(
            "Scores on %s in percent, %d videos:\n%s", self._dataset_name, num_videos, table
        )
        if self._folder is not None:
            content = {
                "dataset": self._dataset_name,
                "code_version": vps.__version__,
                "num_videos": num_videos,
                "percent": scores,
                "undefined": undefined,
                name: result.as_dict(),
            }
            write_json(self._folder / f"{name}.json", content, indent=1)
            with atomic_write(self._folder / f"{name}.txt", "w") as file:
                file.write(table + "\n")
        return scores


def labelled_frames(
    record: VideoRecord, predictions: Iterable[PanopticFrame]
) -> Iterator[ObjectFrame]:
    """(name, ground truth, prediction) of the frames that carry ground truth, as label maps.

    Raises:
        InputError: as ``check_predictions`` and ``read_ground_truth``.
    """
    for index, prediction in check_predictions(record, predictions):
        if record["labelled"][index]:
            yield prediction.frame_id, read_ground_truth(record, index).ids, prediction.ids
        del prediction
