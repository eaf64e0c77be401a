"""VPSNet's parts and settings from a config: the one place where its keys are read."""

from __future__ import annotations

from typing import Any

from vps.d2.data import MetadataCatalog
from vps.d2.modeling import build_backbone
from vps.modeling.detection import RPN, RoIHeads
from vps.modeling.vpsnet.association import AssociationRules
from vps.modeling.vpsnet.panoptic_head import OUTSIDE
from vps.modeling.vpsnet.panoptic_inference import PanopticRules
from vps.modeling.vpsnet.semantic_head import SemanticHead
from vps.modeling.vpsnet.track_head import TrackHead
from vps.structures import Category, InputError


def vpsnet_arguments(cfg) -> dict[str, Any]:
    """Constructor arguments of ``VPSNet`` from a config.

    Raises:
        InputError: names the key whose value does not fit.
    """
    categories = _categories(cfg)
    backbone = build_backbone(cfg)
    shapes = backbone.output_shape()
    vpsnet = cfg.MODEL.VPSNET
    head, panoptic, track = vpsnet.SEMANTIC_HEAD, vpsnet.PANOPTIC_HEAD, vpsnet.TRACK_HEAD
    channels = shapes[head.IN_FEATURES[0]].channels
    for key, value, known in (
        ("PANOPTIC_HEAD.OUTSIDE_BOX", panoptic.OUTSIDE_BOX, ("-inf", "zero")),
        ("TRACK_HEAD.ASSIGNMENT", track.ASSIGNMENT, ("best", "next_best")),
    ):
        if value not in known:
            raise InputError(f"MODEL.VPSNET.{key}: expected one of {known}, got {value!r}")
    return {
        "backbone": backbone,
        "proposal_generator": RPN.from_config(cfg, shapes),
        "roi_heads": RoIHeads.from_config(cfg, shapes),
        "semantic_head": SemanticHead(
            in_channels=channels,
            num_categories=len(categories),
            in_features=head.IN_FEATURES,
            conv_dims=head.CONV_DIMS,
            norm=head.NORM,
            deformable=head.DEFORMABLE,
            loss_weight=head.LOSS_WEIGHT,
            loss_resolution=head.LOSS_RESOLUTION,
        ),
        "track_head": TrackHead(
            in_channels=channels,
            resolution=cfg.MODEL.ROI_BOX_HEAD.POOLER_RESOLUTION,
            fc_dim=track.FC_DIM,
            loss_weight=track.LOSS_WEIGHT,
        )
        if track.ENABLED
        else None,
        "categories": categories,
        "pixel_mean": cfg.MODEL.PIXEL_MEAN,
        "pixel_std": cfg.MODEL.PIXEL_STD,
        "input_format": cfg.INPUT.FORMAT,
        "panoptic_loss_weight": panoptic.LOSS_WEIGHT,
        "outside_box": OUTSIDE if panoptic.OUTSIDE_BOX == "-inf" else 0.0,
        "supervise_reference": vpsnet.SUPERVISE_REFERENCE,
        "rules": PanopticRules(
            score_thresh=panoptic.SCORE_THRESH,
            nms_thresh=panoptic.NMS_THRESH,
            max_instances=panoptic.MAX_INSTANCES,
            mask_overlap_thresh=panoptic.MASK_OVERLAP_THRESH,
            stuff_vote_thresh=panoptic.STUFF_VOTE_THRESH,
            stuff_area_min=panoptic.STUFF_AREA_MIN,
            thing_area_min=panoptic.THING_AREA_MIN,
        ),
        "association": AssociationRules(
            score=track.SCORE_COEF,
            iou=track.IOU_COEF,
            category=track.CLASS_COEF,
            mask_iou=track.MASK_IOU_COEF,
            next_best=track.ASSIGNMENT == "next_best",
            max_tracks=track.MAX_TRACKS,
        ),
        "prune_before_tracking": track.PRUNE_BEFORE,
        "min_size_test": cfg.INPUT.MIN_SIZE_TEST,
        "max_size_test": cfg.INPUT.MAX_SIZE_TEST,
    }


def _categories(cfg) -> list[Category]:
    """The categories of the training data, checked against the class counts of the config."""
    name = cfg.DATASETS.TRAIN[0] if cfg.DATASETS.TRAIN else None
    metadata = MetadataCatalog.get(name) if name else None
    if metadata is None or not hasattr(metadata, "categories"):
        raise InputError(f"DATASETS.TRAIN: expected a registered video data set, got {name!r}")
    categories = list(metadata.categories)
    things = sum(category.isthing for category in categories)
    for key, found, expected in (
        ("MODEL.ROI_HEADS.NUM_CLASSES", cfg.MODEL.ROI_HEADS.NUM_CLASSES, things),
        ("MODEL.SEM_SEG_HEAD.NUM_CLASSES", cfg.MODEL.SEM_SEG_HEAD.NUM_CLASSES, len(categories)),
    ):
        if found != expected:
            raise InputError(f"{key}: data set {name} needs {expected}, the config says {found}")
    return categories
