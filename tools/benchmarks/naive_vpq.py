"""VPQ as the published scripts compute it, to measure against: every window decodes and sorts all
its frames again.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from vps.structures import rgb_to_ids


def naive_vpq(folder: Path, windows: tuple[int, ...], num_categories: int) -> dict[int, float]:
    """{window: VPQ as a fraction} of a set that ``write_panoptic_set`` wrote.

    It has no crowds, and its areas are right, so the rules for these are left out.
    """
    sides = {}
    for side in ("gt", "pred"):
        content = json.loads((folder / side / "panoptic.json").read_text())
        sides[side] = {video["video_id"]: video["annotations"] for video in content["annotations"]}
    scores = {}
    for window in windows:
        counts = np.zeros((num_categories, 4))  # IoU, TP, FP, FN
        for video_id, truth in sides["gt"].items():
            predicted = sides["pred"][video_id]
            for start in range(len(truth) - window + 1):
                frames = slice(start, start + window)
                pairs = zip(truth[frames], predicted[frames])
                _count_window(folder, video_id, list(pairs), counts)
        iou, tp, fp, fn = counts[counts[:, 1:].sum(axis=1) > 0].T
        scores[window] = float(np.mean(iou / (tp + fp / 2 + fn / 2)))
    return scores


def _count_window(folder: Path, video_id: str, frames: list, counts: np.ndarray) -> None:
    common: Counter = Counter()
    tubes: dict[str, dict[int, list[int]]] = {"gt": {}, "pred": {}}  # {id: [category, area]}
    for pair in frames:
        maps = []
        for side, annotation in zip(tubes, pair):
            path = folder / side / "panoptic" / video_id / annotation["file_name"]
            maps.append(rgb_to_ids(np.asarray(Image.open(path))).astype(np.int64))
            for segment in annotation["segments_info"]:
                tube = tubes[side].setdefault(segment["id"], [segment["category_id"], 0])
                tube[1] += segment["area"]
        keys, pixels = np.unique(maps[0] << 24 | maps[1], return_counts=True)
        common.update(dict(zip(keys.tolist(), pixels.tolist())))
    matched: set[tuple[str, int]] = set()
    for key, pixels in common.items():
        g, p = key >> 24, key & 0xFFFFFF
        if g and p and tubes["gt"][g][0] == tubes["pred"][p][0]:
            union = tubes["gt"][g][1] + tubes["pred"][p][1] - pixels - common.get(p, 0)
            if pixels / union > 0.5:
                counts[tubes["gt"][g][0]] += pixels / union, 1, 0, 0
                matched |= {("gt", g), ("pred", p)}
    for g, (category, _) in tubes["gt"].items():
        counts[category, 3] += ("gt", g) not in matched
    for p, (category, area) in tubes["pred"].items():
        counts[category, 2] += ("pred", p) not in matched and common.get(p, 0) / area <= 0.5
