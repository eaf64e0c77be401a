"""Shapes-VPS as VIPER is downloaded (playing for benchmarks).

<split>/img/SSS/SSS_FFFFF.jpg
<split>/cls/SSS/SSS_FFFFF.png      8 bits: VIPER's own class numbers
<split>/inst/SSS/SSS_FFFFF.png     RGB: R = class number, 256 G + B = instance, black = none
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vps.data.datasets.viper_categories import VIPER_RAW_IDS
from vps.data.shapes_world.layouts.class_maps import VIPER_CLASSES
from vps.data.shapes_world.layouts.video import (
    InstanceNumbers,
    LayoutVideo,
    paint_values,
    save_labels,
    save_picture,
)

_FIRST_SEQUENCE = {"train": 1, "val": 101}


def write_video(root: Path, video: LayoutVideo) -> dict:
    """Write one video; its name."""
    sequence, folder = f"{_FIRST_SEQUENCE[video.split] + video.number:03d}", root / video.split
    instances = InstanceNumbers()
    for t, image, truth in video.frames():
        stem = f"{sequence}_{t + 1:05d}"
        save_picture(folder / "img" / sequence / f"{stem}.jpg", image)
        classes = {
            segment_id: VIPER_RAW_IDS[VIPER_CLASSES[segment.category]]
            for segment_id, segment in truth.segments.items()
        }
        numbers = {key: number + 1 for key, (_, number) in instances.of(truth).items()}
        planes = (
            paint_values(truth.ids, {key: classes[key] for key in numbers}, np.uint8, void=0),
            paint_values(truth.ids, {k: n >> 8 for k, n in numbers.items()}, np.uint8, void=0),
            paint_values(truth.ids, {k: n & 255 for k, n in numbers.items()}, np.uint8, void=0),
        )
        save_labels(
            folder / "cls" / sequence / f"{stem}.png",
            paint_values(truth.ids, classes, np.uint8, void=0),
        )
        save_labels(folder / "inst" / sequence / f"{stem}.png", np.stack(planes, axis=-1))
    return {"name": sequence}


def write_tables(root: Path, entries: dict[str, list[dict]]) -> None:
    """VIPER has no tables: its folders say everything."""
