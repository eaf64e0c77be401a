"""A meta-architecture that needs no training: it segments by colour.

The world has two classes, ``red`` (a thing) and ``ground`` (stuff). Pixels whose red channel is
high are track 0 where they lie in the left half of the picture and track 1 in the right half; black
is void; the rest is ground. Its one weight, ``threshold``, makes checkpoints meaningful.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from vps.d2.data import MetadataCatalog
from vps.d2.modeling import META_ARCH_REGISTRY
from vps.structures import (
    Category,
    PanopticFrame,
    Segment,
    stuff_segment_id,
    thing_segment_id,
)

CATEGORIES = [
    Category("red", True, (220, 20, 60), dataset_id=7),
    Category("ground", False, (90, 140, 90), dataset_id=3),
]
GROUND_ID = stuff_segment_id(1)
TRACK_IDS = (thing_segment_id(0, 2), thing_segment_id(1, 2))


class ColorModel(nn.Module):
    """Segments by colour; gives results ``LOOK_AHEAD`` frames late, as clip models do."""

    look_ahead = 0

    def __init__(self, cfg):
        super().__init__()
        self.threshold = nn.Parameter(torch.tensor([128.0]))

    def segment_video(self, frames, *, references=None):
        waiting = []
        for frame in frames:
            waiting.append(frame)
            if len(waiting) > self.look_ahead:
                yield self.segment(waiting.pop(0))
        yield from map(self.segment, waiting)

    def segment(self, frame):
        image = torch.from_numpy(frame.image)
        red = (image[..., 0] > self.threshold).numpy() & (frame.image[..., 1] < 100)
        left = np.arange(image.shape[1]) < image.shape[1] // 2
        ids = np.full(red.shape, GROUND_ID, dtype=np.int32)
        ids[red & left] = TRACK_IDS[0]
        ids[red & ~left] = TRACK_IDS[1]
        ids[frame.image.max(axis=-1) < 16] = 0
        table = {
            GROUND_ID: Segment(1, False),
            TRACK_IDS[0]: Segment(0, True, 0.75),
            TRACK_IDS[1]: Segment(0, True, 0.5),
        }
        present = np.unique(ids).tolist()
        return PanopticFrame(frame.frame_id, ids, {i: s for i, s in table.items() if i in present})


def register() -> None:
    """Make the model and its data set known, once per process."""
    if "ColorModel" not in META_ARCH_REGISTRY:
        META_ARCH_REGISTRY.register(ColorModel)
        MetadataCatalog.get("color_world_train").set(categories=CATEGORIES)


def write_model(folder: Path) -> tuple[Path, Path]:
    """Write a config file and weights for it; returns both paths."""
    config, weights = folder / "color.yaml", folder / "color.pth"
    config.write_text(
        "MODEL:\n  META_ARCHITECTURE: ColorModel\n  DEVICE: cpu\n"
        "DATASETS:\n  TRAIN: ['color_world_train']\n"
    )
    torch.save({"model": ColorModel(None).state_dict()}, weights)
    return config, weights


def draw_frame(index: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A grey picture, uint8 [H, W, 3], with a red square that moves from left to right."""
    image = np.full((height, width, 3), (90, 120, 110), dtype=np.uint8)
    side = height // 3
    left = (2 * index) % (width - side)
    image[height // 3 : height // 3 + side, left : left + side] = (230, 30, 40)
    return image
