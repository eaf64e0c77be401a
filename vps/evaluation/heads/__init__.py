"""Heads that segment videos and heads that follow given masks, compared on the same videos."""

from vps.evaluation.heads.comparison import Comparison, HeadReport, compare_heads
from vps.evaluation.heads.copy_head import CopyHead
from vps.evaluation.heads.head import Head
from vps.evaluation.heads.report import format_comparison

__all__ = [
    "Comparison",
    "CopyHead",
    "Head",
    "HeadReport",
    "compare_heads",
    "format_comparison",
]
