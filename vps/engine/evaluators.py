"""The evaluators of a data set: what its ``evaluator_type`` asks for, and TEST.EVALUATORS."""

from __future__ import annotations

import os

from vps.d2.config import CfgNode
from vps.d2.data import MetadataCatalog
from vps.d2.evaluation import DatasetEvaluator
from vps.evaluation import SharedPassEvaluators, VideoObjectEvaluator, VideoPanopticEvaluator
from vps.evaluation.object_metrics import OBJECT_METRICS
from vps.structures import InputError

PANOPTIC = "video_panoptic_seg"


def build_evaluator(
    cfg: CfgNode, dataset_name: str, output_folder: str | None = None
) -> DatasetEvaluator:
    """What scores a model on a registered data set, in one run of the model.

    Args:
        output_folder: of the files; None: ``OUTPUT_DIR/inference/<dataset_name>``.

    Raises:
        InputError: the data set or TEST.EVALUATORS names an evaluator that is not known.
    """
    folder = output_folder or os.path.join(cfg.OUTPUT_DIR, "inference", dataset_name)
    kind = MetadataCatalog.get(dataset_name).get("evaluator_type", PANOPTIC)
    names = list(dict.fromkeys([kind, *cfg.TEST.EVALUATORS]))
    for name in names:
        if name not in (PANOPTIC, *OBJECT_METRICS):
            raise InputError(
                f"expected evaluators of {', '.join((PANOPTIC, *OBJECT_METRICS))} in "
                f"TEST.EVALUATORS and as evaluator_type of {dataset_name}, got {name!r}"
            )
    evaluators: list[DatasetEvaluator] = []
    # The panoptic evaluator is the one that writes predictions.
    if PANOPTIC in names or cfg.TEST.SAVE_RESULTS:
        evaluators.append(
            VideoPanopticEvaluator(
                dataset_name,
                windows=cfg.TEST.VPQ_WINDOWS,
                output_dir=folder,
                save_results=cfg.TEST.SAVE_RESULTS,
                result_form=cfg.TEST.RESULT_FORM,
            )
        )
    if metrics := [name for name in names if name in OBJECT_METRICS]:
        evaluators.append(VideoObjectEvaluator(dataset_name, metrics=metrics, output_dir=folder))
    return evaluators[0] if len(evaluators) == 1 else SharedPassEvaluators(evaluators)
