"""The networks and pictures on which our Panoptic FPN is compared with Detectron2's.

Everything is drawn uniformly from one seeded generator (uniform numbers are the same on every
machine), so a network is described by its config alone and recorded numbers stay valid.
"""

from __future__ import annotations

import torch

from vps.modeling.detection import ImageTargets

SIZES = [(160, 224), (192, 192)]
PYRAMID = ["p2", "p3", "p4", "p5"]


def make_cfg(get_cfg, name: str):
    """Config of "r50" (the model zoo's panoptic_fpn_R_50_3x) or "r18" (as many keys as possible
    have another value, and it is small).

    Args:
        get_cfg: of either host.
    """
    cfg = get_cfg()
    model = cfg.MODEL
    model.DEVICE = "cpu"
    model.META_ARCHITECTURE = "PanopticFPN"
    model.MASK_ON = True
    model.BACKBONE.NAME = "build_resnet_fpn_backbone"
    model.RESNETS.OUT_FEATURES = ["res2", "res3", "res4", "res5"]
    model.FPN.IN_FEATURES = ["res2", "res3", "res4", "res5"]
    model.ANCHOR_GENERATOR.SIZES = [[32], [64], [128], [256], [512]]
    model.RPN.IN_FEATURES = [*PYRAMID, "p6"]
    model.RPN.PRE_NMS_TOPK_TRAIN = 2000
    model.RPN.PRE_NMS_TOPK_TEST = 1000
    model.RPN.POST_NMS_TOPK_TRAIN = 1000
    model.RPN.POST_NMS_TOPK_TEST = 1000
    model.ROI_HEADS.NAME = "StandardROIHeads"
    model.ROI_HEADS.IN_FEATURES = PYRAMID
    model.ROI_HEADS.BATCH_SIZE_PER_IMAGE = 128
    model.ROI_HEADS.SCORE_THRESH_TEST = 0.0  # random weights: keep what there is
    model.ROI_BOX_HEAD.NAME = "FastRCNNConvFCHead"
    model.ROI_BOX_HEAD.NUM_FC = 2
    model.ROI_BOX_HEAD.POOLER_RESOLUTION = 7
    model.ROI_MASK_HEAD.NUM_CONV = 4
    model.ROI_MASK_HEAD.POOLER_RESOLUTION = 14
    # With the usual thresholds no random detection would take part in the merge.
    model.PANOPTIC_FPN.COMBINE.INSTANCES_CONFIDENCE_THRESH = 0.02
    model.PANOPTIC_FPN.COMBINE.STUFF_AREA_LIMIT = 64
    if name == "r18":
        model.BACKBONE.FREEZE_AT = 1
        model.RESNETS.DEPTH = 18
        model.RESNETS.STEM_OUT_CHANNELS = 64
        model.RESNETS.RES2_OUT_CHANNELS = 64  # the only width that Detectron2 allows
        model.RESNETS.NORM = "BN"
        model.FPN.OUT_CHANNELS = 32
        model.FPN.NORM = "GN"
        model.FPN.FUSE_TYPE = "avg"
        model.RPN.SMOOTH_L1_BETA = 1 / 9
        model.RPN.BOUNDARY_THRESH = 0
        model.RPN.PRE_NMS_TOPK_TEST = 300
        model.RPN.POST_NMS_TOPK_TEST = 200
        model.ROI_HEADS.NUM_CLASSES = 4
        model.ROI_BOX_HEAD.SMOOTH_L1_BETA = 1.0
        model.ROI_BOX_HEAD.CLS_AGNOSTIC_BBOX_REG = True
        model.ROI_BOX_HEAD.NUM_CONV = 1
        model.ROI_BOX_HEAD.CONV_DIM = 32
        model.ROI_BOX_HEAD.FC_DIM = 64
        model.ROI_BOX_HEAD.POOLER_SAMPLING_RATIO = 2
        model.ROI_MASK_HEAD.CLS_AGNOSTIC_MASK = True
        model.ROI_MASK_HEAD.NORM = "GN"
        model.ROI_MASK_HEAD.CONV_DIM = 32
        model.SEM_SEG_HEAD.CONVS_DIM = 32
        model.SEM_SEG_HEAD.NUM_CLASSES = 9
    return cfg


@torch.no_grad()
def fill_weights(model: torch.nn.Module) -> None:
    """Draw every tensor of the state dict, in its order; activations stay in a sane range."""
    generator = torch.Generator().manual_seed(1)

    def draw(tensor, low, high):
        tensor.copy_(torch.rand(tensor.shape, generator=generator) * (high - low) + low)

    last_conv = (
        "conv3" if "backbone.bottom_up.res2.0.conv3.weight" in model.state_dict() else "conv2"
    )
    for key, tensor in model.state_dict().items():
        if key.endswith("num_batches_tracked"):
            continue
        if key.endswith("running_var") or (tensor.dim() == 1 and key.endswith("norm.weight")):
            draw(tensor, 0.5, 1.5)
            if key.endswith("stem.conv1.norm.weight"):
                tensor.mul_(0.02)  # pixels reach 255
            elif key.endswith(f"{last_conv}.norm.weight"):
                tensor.mul_(0.2)  # else activations double in each block
        elif tensor.dim() == 1:
            draw(tensor, -0.1, 0.1)
        else:
            limit = (6 / tensor[0].numel()) ** 0.5  # He et al., uniform
            draw(tensor, -limit, limit)
    parts = model.state_dict()
    parts["proposal_generator.rpn_head.anchor_deltas.weight"].mul_(0.3)
    parts["proposal_generator.rpn_head.objectness_logits.weight"].mul_(0.3)
    parts["roi_heads.box_predictor.bbox_pred.weight"].mul_(0.5)
    parts["roi_heads.box_predictor.cls_score.weight"].mul_(0.5)


def make_inputs(num_classes: int, num_labels: int) -> list[dict]:
    """Two pictures of different size with 3 and 4 instances, in our form."""
    generator = torch.Generator().manual_seed(7)
    inputs = []
    for index, (height, width) in enumerate(SIZES):
        image = torch.rand(3, height // 8, width // 8, generator=generator) * 255
        image = torch.nn.functional.interpolate(image[None], (height, width), mode="bilinear")[0]
        number = 3 + index
        corner = torch.rand(number, 2, generator=generator) * torch.tensor([width, height]) * 0.6
        sides = 12 + torch.rand(number, 2, generator=generator) * 60
        limit = torch.tensor([width, height], dtype=torch.float32)
        boxes = torch.cat([corner, torch.minimum(corner + sides, limit)], dim=1)
        masks = torch.zeros(number, height, width, dtype=torch.bool)
        for mask, (x0, y0, x1, y1) in zip(masks, boxes.round().int().tolist()):
            mask[y0 : (y0 + y1) // 2 + 2, x0:x1] = True
        classes = torch.randint(0, num_classes, (number,), generator=generator)
        labels = torch.randint(0, num_labels, (height, width), generator=generator)
        labels[:20] = 255
        inputs.append(
            {
                "image": image,
                "targets": ImageTargets(boxes, classes, masks),
                "sem_seg": labels,
                "height": height * 3 // 2,
                "width": width * 3 // 2,
            }
        )
    return inputs


def without_instances(inputs: list[dict]) -> list[dict]:
    """The same pictures with no ground truth."""
    answer = []
    for item in inputs:
        t = item["targets"]
        empty = ImageTargets(t.boxes[:0], t.classes[:0], t.masks[:0])
        answer.append({**item, "targets": empty})
    return answer
