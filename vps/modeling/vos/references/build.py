"""The source of references that a config names, with the panoptic model behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from torch import nn

from vps.config import load_config
from vps.d2.config import CfgNode
from vps.d2.data import MetadataCatalog
from vps.d2.modeling import build_model
from vps.modeling.strict_weights import load_weights_strict
from vps.modeling.vos.references.matching import MatchingRules
from vps.modeling.vos.references.policy import PanopticReferences
from vps.structures import Category, Frame, InputError, PanopticFrame, ReferencePolicy

MODES = ("ground_truth", "panoptic_first", "panoptic_every_k")


def build_reference_source(
    cfg: CfgNode, categories: Sequence[Category]
) -> Callable[[], ReferencePolicy] | None:
    """A function that makes the policy of one more video, as MODEL.VOS.REFERENCES says; None where
    the ground truth gives the references.

    The panoptic model is built at the first frame that needs it, so a training builds none, and it
    is no part of the model that follows its objects: its weights are saved nowhere else.

    Args:
        cfg: the config of the video object segmentation model.
        categories: of its data set; the panoptic model must know the same.

    Raises:
        InputError: a key has an unknown value, or no panoptic model is named.
    """
    keys = cfg.MODEL.VOS.REFERENCES
    if keys.MODE not in MODES:
        raise InputError(f"MODEL.VOS.REFERENCES.MODE: expected one of {MODES}, got {keys.MODE!r}")
    if keys.MODE == "ground_truth":
        return None
    if not keys.CONFIG_FILE:
        raise InputError(
            f"MODEL.VOS.REFERENCES.MODE {keys.MODE} needs a panoptic model; expected its config in "
            "MODEL.VOS.REFERENCES.CONFIG_FILE, got none"
        )
    detector = PanopticDetector(
        keys.CONFIG_FILE, keys.WEIGHTS, device=cfg.MODEL.DEVICE, categories=categories
    )
    return partial(
        PanopticReferences,
        detector,
        num_categories=len(categories),
        every=keys.EVERY if keys.MODE == "panoptic_every_k" else None,
        rules=MatchingRules(keys.IOU, keys.MIN_AREA, keys.KNOWN, keys.MISSES),
    )


class PanopticDetector:
    """Any meta-architecture as a panoptic model of single pictures.

    Not a module on purpose: as one it would become a part of the model that owns it, and of its
    checkpoints.
    """

    def __init__(
        self, config_file: str, weights: str, *, device: str, categories: Sequence[Category]
    ) -> None:
        """
        Args:
            config_file: YAML with which the panoptic model was trained.
            weights: its checkpoint; empty: MODEL.WEIGHTS of the config.
            device: where it runs.
            categories: that its data set must have, in this order.
        """
        self._config_file, self._weights, self._device = config_file, weights, device
        self._categories = list(categories)
        self._model: nn.Module | None = None

    def __call__(self, frame: Frame) -> PanopticFrame:
        """Segment one picture as a video of one frame.

        Raises:
            InputError: config or weights cannot be used, or belong to other classes.
        """
        if self._model is None:
            self._model = self._build()
        (result,) = self._model.segment_video([frame])
        return result

    def _build(self) -> nn.Module:
        cfg = load_config(self._config_file).clone()
        cfg.defrost()
        cfg.MODEL.DEVICE = self._device
        cfg.MODEL.WEIGHTS = self._weights or cfg.MODEL.WEIGHTS
        cfg.freeze()
        if not cfg.MODEL.WEIGHTS:
            raise InputError(
                f"expected weights for {self._config_file} in MODEL.VOS.REFERENCES.WEIGHTS, got "
                "none"
            )
        names = cfg.DATASETS.TRAIN
        known = MetadataCatalog.get(names[0]).get("categories") if names else None
        if [category.name for category in known or ()] != [c.name for c in self._categories]:
            raise InputError(
                f"expected the model of {self._config_file} to know the same classes in the same "
                f"order as the model that follows its objects, got those of {names}"
            )
        model = build_model(cfg).eval()
        load_weights_strict(model, cfg.MODEL.WEIGHTS)
        return model
