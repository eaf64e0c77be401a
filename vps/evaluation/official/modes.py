"""The official protocols for panoptic labels by name: windows, rules, pairing, names of videos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vps.metrics import (
    CITYSCAPES_VPS_RULES,
    PANOPTICAPI_RULES,
    VIPER_EXCLUDED_CLASSES,
    VIPER_RULES,
    VIPER_WINDOWS,
    VIPSEG_RULES,
    MatchingRules,
)


@dataclass(frozen=True)
class PanopticMode:
    """One protocol.

    Attributes:
        name: as on the command line.
        metrics: what is computed unless told otherwise, of "vpq", "stq", "pq", "miou".
        windows: of VPQ, in labelled frames.
        rules: how tubes match.
        pair: how the official program pairs predictions with frames.
        video_of: how a flat file names its videos, a key of ``vps.io.video_names``.
        excluded_classes: contiguous classes that are left out of the means.
        step: frames from one labelled frame to the next where windows are officially named by
            k = step (n - 1); None where by n.
    """

    name: str
    metrics: tuple[str, ...] = ("vpq", "stq", "miou")
    windows: tuple[int, ...] = (1, 2, 4, 6)
    rules: MatchingRules = VIPSEG_RULES
    pair: Literal["position", "id"] = "position"
    video_of: str = "prefix"
    excluded_classes: tuple[int, ...] = ()
    step: int | None = None


PANOPTIC_MODES = {
    mode.name: mode
    for mode in (
        PanopticMode("vipseg"),
        PanopticMode(
            "cityscapes_vps",
            windows=(1, 2, 3, 4),
            rules=CITYSCAPES_VPS_RULES,
            video_of="first4",
            step=5,
        ),
        PanopticMode(
            "viper",
            windows=VIPER_WINDOWS,
            rules=VIPER_RULES,
            excluded_classes=VIPER_EXCLUDED_CLASSES,
        ),
        PanopticMode(
            "panoptic",
            metrics=("pq", "miou"),
            windows=(1,),
            rules=PANOPTICAPI_RULES,
            pair="id",
            video_of="image",
        ),
        PanopticMode("stq", metrics=("stq", "miou")),
    )
}
