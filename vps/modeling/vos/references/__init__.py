"""References that another model gives: a video object segmentation head on raw video."""

from vps.modeling.vos.references.build import build_reference_source
from vps.modeling.vos.references.matching import MatchingRules, match_segments, merge_detection
from vps.modeling.vos.references.policy import PanopticReferences

__all__ = [
    "MatchingRules",
    "PanopticReferences",
    "build_reference_source",
    "match_segments",
    "merge_detection",
]
