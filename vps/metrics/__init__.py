"""Panoptic metrics of videos on NumPy alone: PQ, VPQ, STQ and mIoU from one table per frame."""

from vps.metrics.confusion import MeanIoU, MeanIoUResult
from vps.metrics.frame_table import FrameTable
from vps.metrics.matching_rules import (
    CITYSCAPES_VPS_RULES,
    DEEPLAB2_RULES,
    PANOPTICAPI_RULES,
    VIPSEG_RULES,
    MatchingRules,
)
from vps.metrics.panoptic_scores import ClassCounts, GroupScores, PanopticScores
from vps.metrics.report import format_table
from vps.metrics.stq import SegmentationTrackingQuality, STQResult, STQRules, STQScores
from vps.metrics.video_tables import VideoTables
from vps.metrics.vpq import PanopticQuality, VideoPanopticQuality, VPQResult

__all__ = [
    "CITYSCAPES_VPS_RULES",
    "DEEPLAB2_RULES",
    "PANOPTICAPI_RULES",
    "VIPSEG_RULES",
    "ClassCounts",
    "FrameTable",
    "GroupScores",
    "MatchingRules",
    "MeanIoU",
    "MeanIoUResult",
    "PanopticQuality",
    "PanopticScores",
    "STQResult",
    "STQRules",
    "STQScores",
    "SegmentationTrackingQuality",
    "VPQResult",
    "VideoPanopticQuality",
    "VideoTables",
    "format_table",
]
