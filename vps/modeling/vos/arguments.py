"""The family's parts and settings from a config: the one place where its keys are read."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from vps.d2.data import MetadataCatalog
from vps.modeling.vos.encoder_weights import load_encoder_weights
from vps.modeling.vos.network import VOSNetwork
from vps.modeling.vos.propagator import PropagationRules
from vps.modeling.vos.references import build_reference_source
from vps.modeling.vos.training import TrainingRules
from vps.modeling.vos.variants import NetworkSettings, network_settings
from vps.structures import Category, InputError


def panoptic_vos_arguments(cfg) -> dict[str, Any]:
    """Constructor arguments of ``PanopticVOS`` from a config.

    Raises:
        InputError: names the key whose value does not fit.
    """
    if cfg.INPUT.FORMAT != "RGB":
        raise InputError(f"INPUT.FORMAT: the family takes RGB pictures, got {cfg.INPUT.FORMAT!r}")
    settings = settings_of(cfg)
    categories = _categories(cfg)
    network = VOSNetwork(settings)
    # A checkpoint of the whole model holds its encoder; the file may long be gone.
    if cfg.MODEL.VOS.ENCODER_WEIGHTS and not cfg.MODEL.WEIGHTS:
        load_encoder_weights(network.encoder, cfg.MODEL.VOS.ENCODER_WEIGHTS)
    inference, training = cfg.MODEL.VOS.INFERENCE, cfg.MODEL.VOS.TRAINING
    return {
        "network": network,
        "categories": categories,
        "pixel_mean": cfg.MODEL.PIXEL_MEAN,
        "pixel_std": cfg.MODEL.PIXEL_STD,
        "views": _views(cfg, settings),
        "depth": inference.DEPTH or None,
        "reference_source": build_reference_source(cfg, categories),
        "training_rules": TrainingRules(
            **{field.name: training[field.name.upper()] for field in fields(TrainingRules)}
        ),
        "training_length": cfg.SOLVER.MAX_ITER,
        "zero_label": cfg.MODEL.VOS.ZERO_LABEL,
    }


def settings_of(cfg) -> NetworkSettings:
    """The network that MODEL.VOS.VARIANT and MODEL.VOS.NETWORK describe."""
    changes = {key.lower(): value for key, value in cfg.MODEL.VOS.NETWORK.items()}
    return network_settings(cfg.MODEL.VOS.VARIANT, changes)


def _views(cfg, settings: NetworkSettings) -> list[PropagationRules]:
    """One view per scale, and each once more mirrored."""
    keys = cfg.MODEL.VOS.INFERENCE
    scales = list(keys.SCALES)
    if not scales or min(scales) <= 0:
        raise InputError(f"MODEL.VOS.INFERENCE.SCALES: expected positive factors, got {scales}")
    # The official rule: a single scale knows no limit of the short side.
    max_short = keys.MAX_SHORT_SIDE if scales != [1.0] else 0
    return [
        PropagationRules(
            memory_gap=settings.memory_gap_test,
            memory_cap=keys.MEMORY_CAP,
            merge=settings.merge,
            max_long_side=keys.MAX_LONG_SIDE,
            max_short_side=max_short,
            scale=scale,
            flip=flip,
            antialias=keys.ANTIALIAS,
            pixel_mean=tuple(cfg.MODEL.PIXEL_MEAN),
            pixel_std=tuple(cfg.MODEL.PIXEL_STD),
        )
        for scale in scales
        for flip in ((False, True) if keys.FLIP else (False,))
    ]


def _categories(cfg) -> list[Category]:
    name = cfg.DATASETS.TRAIN[0] if cfg.DATASETS.TRAIN else None
    metadata = MetadataCatalog.get(name) if name else None
    if metadata is None or not hasattr(metadata, "categories"):
        raise InputError(f"DATASETS.TRAIN: expected a registered video data set, got {name!r}")
    return list(metadata.categories)
