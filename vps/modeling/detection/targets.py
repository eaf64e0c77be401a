"""What the detection heads are trained on: plain tensors, one record per image."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from vps.layers import box_coverage

CROWD_COVERAGE = 0.5  # of a box's own area, at which a crowd region makes it "neither yes nor no"


@dataclass
class ImageTargets:
    """The instances of one image; all tensors on one device.

    Attributes:
        boxes: float (G, 4), xyxy in pixels of the network's input.
        classes: long (G,), 0 .. number of thing classes - 1.
        masks: bool (G, H, W); H, W may be smaller than the padded batch.
        crowd_boxes: float (C, 4), regions of uncounted instances: anchors and proposals that are
            not positive and lie in one by at least half their area are not used as negatives.
    """

    boxes: Tensor
    classes: Tensor
    masks: Tensor
    crowd_boxes: Tensor = field(default_factory=lambda: torch.zeros(0, 4))

    def __len__(self) -> int:
        return len(self.boxes)

    def to(self, device: torch.device | str) -> ImageTargets:
        """The same targets on another device."""
        return ImageTargets(
            self.boxes.to(device),
            self.classes.to(device),
            self.masks.to(device),
            self.crowd_boxes.to(device),
        )


@dataclass
class SampledBoxes:
    """The proposals of one image that the heads are trained on, positives first.

    Attributes:
        boxes: float (R, 4).
        classes: long (R,), the number of thing classes for background.
        gt_index: long (R,), which of the image's targets a positive answers for; -1 for background.
    """

    boxes: Tensor
    classes: Tensor
    gt_index: Tensor


@dataclass
class Detections:
    """What was found in one image, best first.

    Attributes:
        boxes: float (D, 4); scores: float (D,); classes: long (D,).
    """

    boxes: Tensor
    scores: Tensor
    classes: Tensor


def in_crowd(boxes: Tensor, crowd_boxes: Tensor) -> Tensor:
    """Bool (N,): boxes (N, 4) of which a crowd box covers at least half."""
    if len(crowd_boxes) == 0:
        return torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    return (box_coverage(crowd_boxes.to(boxes), boxes) >= CROWD_COVERAGE).any(dim=0)
