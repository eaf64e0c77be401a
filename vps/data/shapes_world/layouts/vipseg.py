"""Shapes-VPS as VIPSeg is downloaded: one 16-bit number per pixel says class and instance.

imgs/<video>/<frame>.jpg
panomasks/<video>/<frame>.png      0 void, class for stuff, 100 class + instance for things,
                                   with classes counted from 1; none for test videos
{train,val,test}.txt, label_num_dic_final.json
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vps.data.datasets.vipseg_categories import VIPSEG_CATEGORIES
from vps.data.shapes_world.layouts.class_maps import VIPSEG_CLASSES
from vps.data.shapes_world.layouts.video import (
    InstanceNumbers,
    LayoutVideo,
    paint_values,
    save_labels,
    save_picture,
)
from vps.data.shapes_world.layouts.viposeg import video_name
from vps.io import atomic_write, write_json


def write_video(root: Path, video: LayoutVideo) -> dict:
    """Write one video; its name for the lists."""
    name, instances = video_name(video), InstanceNumbers()
    for t, image, truth in video.frames():
        stem = f"{t:08d}"
        save_picture(root / "imgs" / name / f"{stem}.jpg", image)
        if video.split == "test":
            continue
        values = {
            segment_id: VIPSEG_CLASSES[segment.category] + 1
            for segment_id, segment in truth.segments.items()
        }
        for segment_id, (_, number) in instances.of(truth).items():
            values[segment_id] = 100 * values[segment_id] + number
        labels = paint_values(truth.ids, values, np.uint16, void=0)
        save_labels(root / "panomasks" / name / f"{stem}.png", labels)
    return {"name": name}


def write_tables(root: Path, entries: dict[str, list[dict]]) -> None:
    """Write the lists of videos and the numbers of the classes."""
    for split, videos in entries.items():
        with atomic_write(root / f"{split}.txt", "w") as file:
            file.writelines(f"{video['name']}\n" for video in videos)
    numbers = {category.name: str(category.dataset_id + 1) for category in VIPSEG_CATEGORIES}
    write_json(root / "label_num_dic_final.json", {"others": "0", **numbers})
