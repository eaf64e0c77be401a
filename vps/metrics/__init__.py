"""Metrics of video segmentation on NumPy alone: PQ, VPQ, STQ and mIoU from one table per frame, and
VIPOSeg, DAVIS and YouTube-VOS scores of objects whose masks are given.
"""

from vps.metrics.confusion import MeanIoU, MeanIoUResult
from vps.metrics.davis import DAVIS_2016_RULES, DAVIS_2017_RULES, DavisQuality, DavisRules
from vps.metrics.davis_scores import DavisResult
from vps.metrics.frame_table import FrameTable
from vps.metrics.matching_rules import (
    CITYSCAPES_VPS_RULES,
    DEEPLAB2_RULES,
    PANOPTICAPI_RULES,
    VIPER_EXCLUDED_CLASSES,
    VIPER_RULES,
    VIPER_WINDOWS,
    VIPSEG_RULES,
    MatchingRules,
)
from vps.metrics.panoptic_scores import ClassCounts, GroupScores, PanopticScores
from vps.metrics.report import format_table
from vps.metrics.stq import SegmentationTrackingQuality, STQResult, STQRules, STQScores
from vps.metrics.video_tables import VideoTables
from vps.metrics.viposeg import VIPOSegQuality, VIPOSegRules
from vps.metrics.viposeg_scores import VIPOSegResult
from vps.metrics.viposeg_subsets import VIPOSegSubsets
from vps.metrics.vpq import PanopticQuality, VideoPanopticQuality, VPQResult
from vps.metrics.youtube_vos import YouTubeVOSQuality, YouTubeVOSResult

__all__ = [
    "CITYSCAPES_VPS_RULES",
    "DAVIS_2016_RULES",
    "DAVIS_2017_RULES",
    "DEEPLAB2_RULES",
    "PANOPTICAPI_RULES",
    "VIPER_EXCLUDED_CLASSES",
    "VIPER_RULES",
    "VIPER_WINDOWS",
    "VIPSEG_RULES",
    "ClassCounts",
    "DavisQuality",
    "DavisResult",
    "DavisRules",
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
    "VIPOSegQuality",
    "VIPOSegResult",
    "VIPOSegRules",
    "VIPOSegSubsets",
    "VPQResult",
    "VideoPanopticQuality",
    "VideoTables",
    "YouTubeVOSQuality",
    "YouTubeVOSResult",
    "format_table",
]
