"""Detection: region proposals, boxes, masks; and Panoptic FPN, the image baseline made of them."""

from vps.modeling.detection.heads import BoxHead, BoxPredictor, MaskHead
from vps.modeling.detection.merge import merge_panoptic
from vps.modeling.detection.panoptic_fpn import PanopticFPN, pad_and_stack
from vps.modeling.detection.roi_heads import RoIHeads, crop_masks, select_detections
from vps.modeling.detection.rpn import RPN
from vps.modeling.detection.semantic import SemSegFPNHead
from vps.modeling.detection.targets import Detections, ImageTargets, SampledBoxes

__all__ = [
    "RPN",
    "BoxHead",
    "BoxPredictor",
    "Detections",
    "ImageTargets",
    "MaskHead",
    "PanopticFPN",
    "RoIHeads",
    "SampledBoxes",
    "SemSegFPNHead",
    "crop_masks",
    "merge_panoptic",
    "pad_and_stack",
    "select_detections",
]
