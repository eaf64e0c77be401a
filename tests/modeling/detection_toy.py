"""A small Panoptic FPN and pictures of bright rectangles, for tests of the detection core."""

from __future__ import annotations

import torch

from vps.d2.config import get_cfg
from vps.d2.modeling import build_backbone
from vps.modeling.backbone import build_vps_resnet_fpn_backbone  # noqa: F401  (registers it)
from vps.modeling.detection import ImageTargets, PanopticFPN

PYRAMID = ["p2", "p3", "p4", "p5"]
STAGES = ["res2", "res3", "res4", "res5"]
SIZE = (64, 96)


def toy_cfg(num_classes: int = 3):
    cfg = get_cfg()
    model = cfg.MODEL
    model.BACKBONE.NAME = "build_vps_resnet_fpn_backbone"
    model.BACKBONE.FREEZE_AT = 0
    model.RESNETS.OUT_FEATURES = STAGES
    model.RESNETS.DEPTH = 18
    model.RESNETS.NORM = "BN"
    model.RESNETS.STEM_OUT_CHANNELS = 8
    model.RESNETS.RES2_OUT_CHANNELS = 8
    model.FPN.IN_FEATURES = STAGES
    model.FPN.OUT_CHANNELS = 16
    model.ANCHOR_GENERATOR.SIZES = [[8], [16], [32], [64], [128]]
    model.RPN.IN_FEATURES = [*PYRAMID, "p6"]
    model.RPN.BATCH_SIZE_PER_IMAGE = 32
    model.RPN.PRE_NMS_TOPK_TRAIN = 100
    model.RPN.PRE_NMS_TOPK_TEST = 100
    model.RPN.POST_NMS_TOPK_TRAIN = 50
    model.RPN.POST_NMS_TOPK_TEST = 50
    model.ROI_HEADS.IN_FEATURES = PYRAMID
    model.ROI_HEADS.NUM_CLASSES = num_classes
    model.ROI_HEADS.BATCH_SIZE_PER_IMAGE = 16
    model.ROI_BOX_HEAD.NUM_FC = 2
    model.ROI_BOX_HEAD.FC_DIM = 32
    model.ROI_BOX_HEAD.POOLER_RESOLUTION = 7
    model.ROI_MASK_HEAD.NUM_CONV = 1
    model.ROI_MASK_HEAD.CONV_DIM = 16
    model.ROI_MASK_HEAD.POOLER_RESOLUTION = 14
    model.SEM_SEG_HEAD.IN_FEATURES = PYRAMID
    model.SEM_SEG_HEAD.CONVS_DIM = 16
    model.SEM_SEG_HEAD.NUM_CLASSES = 3
    model.PANOPTIC_FPN.COMBINE.STUFF_AREA_LIMIT = 32
    return cfg


def toy_model(num_classes: int = 3) -> PanopticFPN:
    torch.manual_seed(0)
    cfg = toy_cfg(num_classes)
    return PanopticFPN.from_config(cfg, build_backbone(cfg))


def toy_picture(boxes, classes) -> dict:
    """Stuff 1 above, stuff 2 below (0 = things); an instance's channel is its class."""
    height, width = SIZE
    image = torch.full((3, height, width), 40.0)
    image[:, height // 2 :] = 90.0
    labels = torch.ones(height, width, dtype=torch.long)
    labels[height // 2 :] = 2
    masks = torch.zeros(len(boxes), height, width, dtype=torch.bool)
    for mask, (x0, y0, x1, y1), cls in zip(masks, boxes, classes):
        mask[y0:y1, x0:x1] = True
        image[cls, y0:y1, x0:x1] = 255.0
        labels[y0:y1, x0:x1] = 0
    targets = ImageTargets(
        torch.tensor(boxes, dtype=torch.float32).view(-1, 4),
        torch.tensor(classes, dtype=torch.long),
        masks,
    )
    return {"image": image, "targets": targets, "sem_seg": labels}


def toy_batch() -> list[dict]:
    return [
        toy_picture([(8, 10, 30, 34), (50, 20, 84, 52)], [0, 1]),
        toy_picture([(20, 30, 60, 60)], [2]),
    ]
