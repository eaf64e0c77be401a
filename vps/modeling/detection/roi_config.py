"""From config keys to the explicit arguments of ``RoIHeads``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vps.layers import RoIPooler
from vps.modeling.detection.heads import BoxHead, BoxPredictor, MaskHead

# What Detectron2 offers and these heads do not: (node, key, the only value that is understood).
# A host without the key cannot ask for it.
FIXED_KEYS = (
    ("ROI_BOX_HEAD", "POOLER_TYPE", "ROIAlignV2"),
    ("ROI_MASK_HEAD", "POOLER_TYPE", "ROIAlignV2"),
    ("ROI_BOX_HEAD", "BBOX_REG_LOSS_TYPE", "smooth_l1"),
    ("ROI_BOX_HEAD", "TRAIN_ON_PRED_BOXES", False),
    ("ROI_BOX_HEAD", "USE_FED_LOSS", False),
    ("ROI_BOX_HEAD", "USE_SIGMOID_CE", False),
)


def roi_heads_arguments(cfg, input_shape: Mapping) -> dict[str, Any]:
    """Arguments of ``RoIHeads`` from MODEL.ROI_HEADS, ROI_BOX_HEAD, ROI_MASK_HEAD and TEST.

    Raises:
        ValueError: a key asks for what these heads do not have.
    """
    for node, key, understood in FIXED_KEYS:
        value = cfg.MODEL[node].get(key, understood)
        if value != understood:
            raise ValueError(f"expected MODEL.{node}.{key} to be {understood!r}, got {value!r}")
    roi, box, mask = cfg.MODEL.ROI_HEADS, cfg.MODEL.ROI_BOX_HEAD, cfg.MODEL.ROI_MASK_HEAD
    shapes = [input_shape[name] for name in roi.IN_FEATURES]
    strides, channels = [shape.stride for shape in shapes], shapes[0].channels
    # Detectron2 has no such key: its canonical size is always 224.
    canonical = roi.get("CANONICAL_BOX_SIZE", 224)
    box_head = BoxHead(
        channels,
        box.POOLER_RESOLUTION,
        num_conv=box.NUM_CONV,
        conv_dim=box.CONV_DIM,
        norm=box.NORM,
        num_fc=box.NUM_FC,
        fc_dim=box.FC_DIM,
    )
    return {
        "num_classes": roi.NUM_CLASSES,
        "in_features": roi.IN_FEATURES,
        "box_pooler": _pooler(box, strides, canonical),
        "box_head": box_head,
        "box_predictor": BoxPredictor(
            box_head.out_features, roi.NUM_CLASSES, class_agnostic=box.CLS_AGNOSTIC_BBOX_REG
        ),
        "mask_pooler": _pooler(mask, strides, canonical),
        "mask_head": MaskHead(
            channels,
            1 if mask.CLS_AGNOSTIC_MASK else roi.NUM_CLASSES,
            num_conv=mask.NUM_CONV,
            conv_dim=mask.CONV_DIM,
            norm=mask.NORM,
        ),
        "class_agnostic_mask": mask.CLS_AGNOSTIC_MASK,
        "iou_thresholds": roi.IOU_THRESHOLDS,
        "iou_labels": roi.IOU_LABELS,
        "batch_size_per_image": roi.BATCH_SIZE_PER_IMAGE,
        "positive_fraction": roi.POSITIVE_FRACTION,
        "append_gt": roi.PROPOSAL_APPEND_GT,
        "box_reg_weights": box.BBOX_REG_WEIGHTS,
        "smooth_l1_beta": box.SMOOTH_L1_BETA,
        "box_reg_loss_weight": box.BBOX_REG_LOSS_WEIGHT,
        "score_thresh": roi.SCORE_THRESH_TEST,
        "nms_thresh": roi.NMS_THRESH_TEST,
        "detections_per_image": cfg.TEST.DETECTIONS_PER_IMAGE,
    }


def _pooler(head, strides: list[int], canonical_box_size: float) -> RoIPooler:
    return RoIPooler(
        head.POOLER_RESOLUTION,
        strides,
        sampling_ratio=head.POOLER_SAMPLING_RATIO,
        canonical_box_size=canonical_box_size,
    )
