"""Tiny data sets in official layouts, and a plain reading of them to compare with.

``write_set`` makes the files of a ground truth and of predictions; ``naive_read`` takes them up
again with ``json.load`` and Pillow alone, as simply as the layouts can be read.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from naive_panoptic import NaiveFrame, naive_means, naive_stq, naive_vpq_counts
from PIL import Image
from random_videos import CATEGORIES

from vps.structures import Category, Segment


@dataclass
class Files:
    """Where the set is; ``nested`` is VIPSeg's layout, else that of Cityscapes-VPS and VIPER."""

    root: Path
    nested: bool

    @property
    def gt_json(self) -> Path:
        return self.root / "gt.json"

    @property
    def gt(self) -> Path:
        return self.root / "gt"

    @property
    def pred(self) -> Path:
        return self.root / "pred"

    @property
    def pred_json(self) -> Path:
        return self.pred / "pred.json"

    @property
    def pan_pred(self) -> Path:
        return self.pred / "pan_pred"

    def arguments(self) -> dict:
        return {"gt": self.gt, "pred": self.pred, "gt_json": self.gt_json}


def write_ids(path: Path, ids: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rgb = np.stack([ids & 255, (ids >> 8) & 255, ids >> 16], axis=-1).astype(np.uint8)
    Image.fromarray(rgb).save(path)


def frame_names(number: int, count: int, *, nested: bool) -> list[str]:
    return [f"{5 * t:08d}" if nested else f"{number:04d}_{t:04d}_town" for t in range(count)]


def write_set(
    root: Path, videos: list[list[NaiveFrame]], *, nested: bool = True, named: bool = True
) -> Files:
    """Write the files of videos. ``named``: the predictions' JSON has image ids and file names."""
    files = Files(root, nested)
    truth, predictions = [], []
    for number, frames in enumerate(videos):
        video_id = f"{number}_street" if nested else f"{number:04d}"
        entries = ([], [], [])  # images, annotations, predictions
        folder = video_id if nested else "."
        for name, frame in zip(frame_names(number, len(frames), nested=nested), frames):
            height, width = frame.gt.shape
            write_ids(files.gt / folder / f"{name}.png", frame.gt)
            write_ids(files.pan_pred / folder / f"{name}.png", frame.pred)
            about = {"image_id": name, "file_name": f"{name}.png"}
            entries[0].append(
                {"id": name, "width": width, "height": height, "file_name": f"{name}.png"}
            )
            entries[1].append({**about, "segments_info": infos(frame.gt, frame.gt_segments)})
            entries[2].append(
                {
                    **(about if named else {}),
                    "segments_info": infos(frame.pred, frame.pred_segments),
                }
            )
        truth.append((video_id, *entries[:2]))
        predictions.append((video_id, entries[2]))
    categories = [
        {"id": c.dataset_id, "name": c.name, "isthing": int(c.isthing), "color": list(c.color)}
        for c in CATEGORIES
    ]
    if nested:
        gt = {
            "videos": [{"video_id": v, "images": images} for v, images, _ in truth],
            "annotations": [{"video_id": v, "annotations": a} for v, _, a in truth],
            "categories": categories,
        }
        names = [{"video_id": v} if named else {} for v, _ in predictions]
        pred = {
            "annotations": [{**name, "annotations": a} for name, (_, a) in zip(names, predictions)]
        }
    else:
        gt = {
            "images": [image for _, images, _ in truth for image in images],
            "annotations": [entry for _, _, entries in truth for entry in entries],
            "categories": categories,
        }
        pred = {"annotations": [entry for _, entries in predictions for entry in entries]}
    files.gt_json.parent.mkdir(parents=True, exist_ok=True)
    files.gt_json.write_text(json.dumps(gt))
    files.pred_json.parent.mkdir(parents=True, exist_ok=True)
    files.pred_json.write_text(json.dumps(pred))
    return files


def infos(ids: np.ndarray, segments: dict[int, Segment]) -> list[dict]:
    return [
        {
            "id": segment_id,
            "category_id": CATEGORIES[segment.category].dataset_id,
            "iscrowd": int(segment.iscrowd),
            "area": int((ids == segment_id).sum()) if segment.area is None else segment.area,
        }
        for segment_id, segment in segments.items()
    ]


def exact(frames: list[NaiveFrame]) -> list[NaiveFrame]:
    """The frames with true areas."""
    for frame in frames:
        for segments in (frame.gt_segments, frame.pred_segments):
            for segment_id, segment in segments.items():
                segments[segment_id] = segment._replace(area=None)
    return frames


def naive_read(
    files: Files, *, pair: str = "position"
) -> tuple[list[list[NaiveFrame]], list[Category]]:
    """The videos of the ground truth, in its order, each with its predictions; and the classes."""
    truth, pred = (json.loads(p.read_text()) for p in (files.gt_json, files.pred_json))
    categories = [
        Category(str(c.get("name")), bool(c["isthing"]), (0, 0, 0), c["id"])
        for c in truth["categories"]
    ]
    kinds = {category.dataset_id: index for index, category in enumerate(categories)}
    videos = []
    for folder, frames, predictions in naive_pairs(truth, pred, files.nested, pair):
        if pair == "id":
            by_id = {image_id_of(entry): entry for entry in predictions}
            predictions = [by_id[image_id_of(entry)] for entry in frames]
        videos.append(
            [
                NaiveFrame(
                    read_ids(files.gt / folder / f"{picture_of(entry)}.png"),
                    read_segments(entry, kinds),
                    read_ids(files.pan_pred / folder / f"{picture_of(entry)}.png"),
                    read_segments(guess, kinds),
                )
                for entry, guess in zip(frames, predictions, strict=True)
            ]
        )
    return videos, categories


def naive_pairs(truth: dict, pred: dict, nested: bool, pair: str) -> list[tuple]:
    """(folder, frames of the ground truth, predictions) of every video."""
    if nested:
        given = {v.get("video_id"): v["annotations"] for v in pred["annotations"]}
        return [
            (
                str(video["video_id"]),
                video["annotations"],
                given[video["video_id"]]
                if pair == "id"
                else pred["annotations"][position]["annotations"],
            )
            for position, video in enumerate(truth["annotations"])
        ]
    groups: dict[str, tuple[list, list]] = {}
    for position, entry in enumerate(truth["annotations"]):
        frames, predictions = groups.setdefault(image_id_of(entry).split("_")[0], ([], []))
        frames.append(entry)
        if pair == "position":
            predictions.append(pred["annotations"][position])
    return [
        (".", frames, pred["annotations"] if pair == "id" else predictions)
        for frames, predictions in groups.values()
    ]


def image_id_of(entry: dict) -> str:
    """The name of a frame, or that of its picture where it has none."""
    given = entry.get("image_id")
    return Path(entry["file_name"]).stem if given is None else str(given)


def picture_of(entry: dict) -> str:
    given = entry.get("file_name")
    return str(entry["image_id"]) if given is None else Path(str(given)).stem


def read_ids(path: Path) -> np.ndarray:
    rgb = np.asarray(Image.open(path)).astype(np.int32)
    return rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2]


def read_segments(entry: dict, kinds: dict[int, int]) -> dict[int, Segment]:
    return {
        int(info["id"]): Segment(
            kinds[info["category_id"]],
            True,
            1.0,
            bool(info.get("iscrowd", 0)),
            None if info.get("area") is None else int(info["area"]),
        )
        for info in entry["segments_info"]
    }


def assert_equals_naive(
    evaluation, videos: list[list[NaiveFrame]], categories: list[Category], windows, rules
) -> None:
    """Compare VPQ of every window and STQ with the naive reference."""
    num = len(categories)
    members = {
        "All": range(num),
        "Things": [c for c in range(num) if categories[c].isthing],
        "Stuff": [c for c in range(num) if not categories[c].isthing],
    }
    for window in windows:
        counts = naive_vpq_counts(videos, window, num, rules)
        scores = evaluation.results["vpq"].per_window[window]
        got = np.stack(
            [scores.counts.iou, scores.counts.tp, scores.counts.fp, scores.counts.fn], axis=1
        )
        np.testing.assert_allclose(got, counts, rtol=1e-12, atol=1e-12)
        for name, classes in members.items():
            group = scores.groups[name]
            for value, want in zip((group.pq, group.sq, group.rq), naive_means(counts, classes)):
                assert (value is None) == (want is None)
                assert value is None or abs(value - want) < 1e-12
    wanted = naive_stq(videos, categories, crowd="first_listed")
    total = evaluation.results["stq"].total
    for value, want in zip((total.stq, total.aq, total.sq, total.num_tubes), wanted):
        assert (value is None) == (want is None), (total, wanted)
        assert value is None or abs(value - want) < 1e-12


ROAD, CAR, SKY = Segment(0, False), Segment(1, True), Segment(2, False)


def two_videos() -> list[list[NaiveFrame]]:
    """Of three and two frames: road 7, sky 300, car 70000 + video; predictions nearly right."""
    videos = []
    for number, length in enumerate((3, 2)):
        frames = []
        for t in range(length):
            gt = np.full((6, 8), 7, np.int32)
            gt[:2] = 300
            gt[3:5, t : t + 3] = 70_000 + number
            gt[5, 7] = 0
            pred = np.roll(gt, 1, axis=1)
            segments = {7: ROAD, 300: SKY, 70_000 + number: CAR}
            frames.append(NaiveFrame(gt, dict(segments), pred, dict(segments)))
        videos.append(frames)
    return videos


def change(path: Path, edit: Callable[[dict], object]) -> None:
    """Edit a JSON file in place; what ``edit`` returns is not looked at."""
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def frames_of(content: dict, video: int = 0) -> list:
    return content["annotations"][video]["annotations"]


def exchange(entries: list, one: int, other: int) -> None:
    entries[one], entries[other] = entries[other], entries[one]


def repaint(path: Path, old: int, new: int) -> None:
    rgb = np.asarray(Image.open(path)).astype(np.int32)
    ids = rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2]
    write_ids(path, np.where(ids == old, new, ids))


def frame(f: Files, side: str = "pred", name: str = "00000005", video: str = "0_street") -> Path:
    return (f.pan_pred if side == "pred" else f.gt) / video / f"{name}.png"


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def flip_byte(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
