"""The four types that carry everything: VideoRecord, ClipSample, PanopticFrame and FrameStream."""

from vps.structures.clip import ClipSample
from vps.structures.coding import MAX_ID, ids_to_rgb, rgb_to_ids
from vps.structures.errors import INPUT_ERROR_STATUS, InputError, exit_status
from vps.structures.panoptic import (
    Category,
    PanopticFrame,
    Segment,
    category_of,
    stuff_segment_id,
    thing_segment_id,
)
from vps.structures.references import (
    ReferencePolicy,
    References,
    ReferenceUpdate,
    as_policy,
)
from vps.structures.runs import LabelRuns
from vps.structures.stream import Frame, FrameStream
from vps.structures.video import LabelCoding, VideoRecord

__all__ = [
    "INPUT_ERROR_STATUS",
    "MAX_ID",
    "Category",
    "ClipSample",
    "Frame",
    "FrameStream",
    "InputError",
    "LabelCoding",
    "LabelRuns",
    "PanopticFrame",
    "ReferencePolicy",
    "ReferenceUpdate",
    "References",
    "Segment",
    "VideoRecord",
    "as_policy",
    "category_of",
    "exit_status",
    "ids_to_rgb",
    "rgb_to_ids",
    "stuff_segment_id",
    "thing_segment_id",
]
