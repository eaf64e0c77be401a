"""Layers on torch and ``torchvision.ops`` alone: no host, no dataset, no model.

The numerics are Detectron2's (box convention, anchors, matching, pooling, pasting), so that its
checkpoints and published numbers carry over.
"""

from vps.torch_pair import check_torch_pair

check_torch_pair()

from vps.layers.anchors import AnchorGenerator  # noqa: E402
from vps.layers.boxes import (  # noqa: E402
    BoxCoder,
    box_area,
    box_coverage,
    box_intersection,
    box_iou,
    clip_boxes,
    larger_than,
)
from vps.layers.conv import (  # noqa: E402
    Conv2d,
    DeformConv2d,
    init_msra,
    init_normal,
    init_xavier,
)
from vps.layers.mask_paste import paste_masks  # noqa: E402
from vps.layers.matcher import Matcher, sample_labels  # noqa: E402
from vps.layers.norm import (  # noqa: E402
    EvalBatchNorm2d,
    FrozenBatchNorm2d,
    freeze_batch_norm,
    get_norm,
)
from vps.layers.pooler import RoIPooler, assign_levels  # noqa: E402

__all__ = [
    "AnchorGenerator",
    "BoxCoder",
    "Conv2d",
    "DeformConv2d",
    "EvalBatchNorm2d",
    "FrozenBatchNorm2d",
    "Matcher",
    "RoIPooler",
    "assign_levels",
    "box_area",
    "box_coverage",
    "box_intersection",
    "box_iou",
    "clip_boxes",
    "freeze_batch_norm",
    "get_norm",
    "init_msra",
    "init_normal",
    "init_xavier",
    "larger_than",
    "paste_masks",
    "sample_labels",
]
