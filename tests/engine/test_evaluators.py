"""Which evaluators a data set gets: its evaluator_type, TEST.EVALUATORS, TEST.SAVE_RESULTS."""

from __future__ import annotations

import pytest

from vps.config import add_vps_config
from vps.d2.config import get_cfg
from vps.d2.data import MetadataCatalog
from vps.engine import VPSTrainer
from vps.evaluation import SharedPassEvaluators, VideoObjectEvaluator, VideoPanopticEvaluator
from vps.structures import Category, InputError

KINDS = ("video_panoptic_seg", "viposeg", "davis", "youtube_vos")


def build(kind: str, *opts):
    name = f"evaluators_{kind}"
    if not MetadataCatalog.get(name).get("categories"):
        categories = [Category("thing", True, (1, 2, 3), 1)]
        MetadataCatalog.get(name).set(categories=categories, evaluator_type=kind)
    cfg = get_cfg()
    add_vps_config(cfg)
    cfg.merge_from_list(list(opts))
    return VPSTrainer.build_evaluator(cfg, name)


def parts(evaluator) -> list:
    return evaluator._evaluators if isinstance(evaluator, SharedPassEvaluators) else [evaluator]


@pytest.mark.parametrize(
    ("kind", "opts", "classes", "tasks"),
    [
        ("video_panoptic_seg", (), [VideoPanopticEvaluator], ["panoptic_video"]),
        ("viposeg", (), [VideoObjectEvaluator], ["viposeg"]),
        ("davis", (), [VideoObjectEvaluator], ["davis"]),
        ("youtube_vos", (), [VideoObjectEvaluator], ["youtube_vos"]),
        (
            "video_panoptic_seg",
            ("TEST.EVALUATORS", "('viposeg','davis')"),
            [VideoPanopticEvaluator, VideoObjectEvaluator],
            ["panoptic_video", "viposeg", "davis"],
        ),
        (
            "viposeg",
            ("TEST.EVALUATORS", "('viposeg','video_panoptic_seg')"),
            [VideoPanopticEvaluator, VideoObjectEvaluator],
            ["panoptic_video", "viposeg"],
        ),
        (  # the panoptic evaluator is the one that writes predictions
            "davis",
            ("TEST.SAVE_RESULTS", "True"),
            [VideoPanopticEvaluator, VideoObjectEvaluator],
            ["panoptic_video", "davis"],
        ),
    ],
)
def test_evaluators(kind, opts, classes, tasks):
    evaluator = build(kind, *opts)
    assert [type(part) for part in parts(evaluator)] == classes
    evaluator.reset()
    assert list(evaluator.evaluate()) == tasks


@pytest.mark.parametrize(
    ("kind", "opts"), [("coco", ()), ("davis", ("TEST.EVALUATORS", "('vpq',)"))]
)
def test_an_unknown_evaluator(kind, opts):
    with pytest.raises(InputError, match="expected evaluators of video_panoptic_seg, viposeg,"):
        build(kind, *opts)
