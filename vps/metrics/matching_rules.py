"""The official quirks of matching predicted to true tubes, each as a named option.

Evaluators of one metric differ in small rules, and a score can be compared only when the rules are
the same. The default of every option is what the official VIPSeg and Cityscapes-VPS scripts do; the
constants at the end are whole sets. VIPER's script also has its own windows and leaves a class out
of the means (``VIPER_WINDOWS``, ``VIPER_EXCLUDED_CLASSES``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vps.structures import InputError


@dataclass(frozen=True)
class MatchingRules:
    """Where evaluators differ. The defaults are those of VIPSeg and Cityscapes-VPS.

    Attributes:
        tube_class: class of a tube whose id changes class inside the window. "first_listed": the
            class in the first frame of the window that lists it; "each_frame": the class is part of
            the identity, so it is two tubes, and ids that no list has become void (deeplab2).
        ground_truth_area: "listed": ``Segment.area`` where an annotation states it (official, even
            where the pixels say otherwise); "pixels": always counted. Predictions are always
            counted.
        duplicate_ids: a ground-truth id listed twice in a frame. "merge": areas add, the first
            class counts; "last": the last entry replaces the others (panopticapi).
        void_in_union: keep the predicted pixels that lie on void in the union.
        crowd: which crowd tubes excuse a prediction of their class. "last_listed": of several
            crowds of a class only the one listed last (official, by accident of a dict); "all";
            "ordinary": a crowd is a segment like any other (deeplab2).
        match_threshold: tubes match with an IoU strictly above.
        ignore_threshold: an unmatched prediction is no FP when strictly more than this part of it
            lies on void and crowd.
        stride: labelled frames from one window to the next.
        min_tube_area: ground-truth tubes with fewer pixels than this in the window are not looked
            for: neither TP nor FN. What is predicted on them finds no match and can be a FP
            (VIPER: 32 x 32).
        clip_length: cut each video into clips of so many labelled frames, which no window crosses
            (Cityscapes-VPS: 6). None: the video is one clip.
    """

    tube_class: Literal["first_listed", "each_frame"] = "first_listed"
    ground_truth_area: Literal["listed", "pixels"] = "listed"
    duplicate_ids: Literal["merge", "last"] = "merge"
    void_in_union: bool = False
    crowd: Literal["last_listed", "all", "ordinary"] = "last_listed"
    match_threshold: float = 0.5
    ignore_threshold: float = 0.5
    stride: int = 1
    min_tube_area: int = 0
    clip_length: int | None = None

    def __post_init__(self) -> None:
        for name, allowed in (
            ("tube_class", ("first_listed", "each_frame")),
            ("ground_truth_area", ("listed", "pixels")),
            ("duplicate_ids", ("merge", "last")),
            ("crowd", ("last_listed", "all", "ordinary")),
        ):
            if getattr(self, name) not in allowed:
                raise InputError(f"expected {name} in {allowed}, got {getattr(self, name)!r}")
        short_clip = self.clip_length is not None and self.clip_length < 1
        if self.stride < 1 or self.min_tube_area < 0 or short_clip:
            raise InputError(
                "expected stride >= 1, min_tube_area >= 0 and clip_length >= 1 or None, got "
                f"stride {self.stride}, min_tube_area {self.min_tube_area}, clip_length "
                f"{self.clip_length}"
            )


VIPSEG_RULES = MatchingRules()
CITYSCAPES_VPS_RULES = MatchingRules(clip_length=6)
VIPER_RULES = MatchingRules(ground_truth_area="pixels", min_tube_area=32 * 32)
PANOPTICAPI_RULES = MatchingRules(duplicate_ids="last")
DEEPLAB2_RULES = MatchingRules(
    tube_class="each_frame", ground_truth_area="pixels", crowd="ordinary"
)

VIPER_WINDOWS = (1, 5, 10, 15)  # frames in a row
VIPER_EXCLUDED_CLASSES = (11,)  # mobile barrier, in VPSNet's order: 13 stuff, then 10 things
