"""The made-up videos on disk, in official layouts, as Pillow writes PNGs.

One video is enough to time the work per frame; where more are needed, they are links to its folder
under other names, and where longer ones are, its frames are there again as links.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.mask_video import CATEGORIES, FramePair, Labels
from vps.structures import ids_to_rgb

VIDEO = "video_0000"


def write_panoptic_set(
    folder: Path, video: Sequence[FramePair], *, videos: int = 1, rounds: int = 1
) -> None:
    """RGB PNGs and JSONs: ``folder/{gt,pred}/{panoptic.json,panoptic/<video>/<frame>.png}``.

    Each of the ``videos`` shows the frames of ``video`` ``rounds`` times.
    """
    names = [f"video_{number:04d}" for number in range(videos)]
    for side in FramePair._fields:
        root = folder / side
        labels = [getattr(frame, side) for frame in video]
        pictures = root / "panoptic" / VIDEO
        _save(pictures, {t: Image.fromarray(ids_to_rgb(f.ids)) for t, f in enumerate(labels)})
        for t in range(len(labels), rounds * len(labels)):
            (pictures / f"{t:05d}.png").symlink_to(f"{t % len(labels):05d}.png")
        for name in names[1:]:
            (root / "panoptic" / name).symlink_to(VIDEO, target_is_directory=True)
        frames = [_describe(t, frame) for t, frame in enumerate(labels * rounds)]
        height, width = labels[0].ids.shape
        images = [{"id": f["image_id"], "height": height, "width": width} for f in frames]
        content = {
            "categories": [
                {"id": c.dataset_id, "name": c.name, "isthing": int(c.isthing), "color": c.color}
                for c in CATEGORIES
            ],
            "videos": [{"video_id": name, "images": images} for name in names],
            "annotations": [{"video_id": name, "annotations": frames} for name in names],
        }
        (root / "panoptic.json").write_text(json.dumps(content))


def write_viposeg_set(folder: Path, video: Sequence[FramePair], *, most: int = 15) -> int:
    """Palette PNGs of things and stuff in VIPOSeg's layout; the number of objects."""
    firsts: dict[int, int] = {}  # object: its first frame
    for t, frame in enumerate(video):
        for segment_id in frame.gt.segments:
            firsts.setdefault(segment_id, t)
    objects = sorted(firsts, key=lambda segment_id: firsts[segment_id])[:most]
    truth = folder / "valid"
    _save(truth / "Annotations_gt" / VIDEO, _palette_images((f.gt for f in video), objects))
    _save(folder / "pred" / VIDEO, _palette_images((f.pred for f in video), objects))
    starts = sorted({firsts[segment_id] for segment_id in objects})
    given = {t: [i if firsts[i] == t else 0 for i in objects] for t in starts}
    references = {}
    for t, subset in given.items():
        (image,) = _palette_images([video[t].gt], subset).values()
        references[t] = image
    _save(truth / "Annotations" / VIDEO, references)
    classes = {
        str(number): video[firsts[segment_id]].gt.segments[segment_id].category
        for number, segment_id in enumerate(objects, start=1)
    }
    (truth / "obj_class.json").write_text(json.dumps({VIDEO: classes}))
    return len(objects)


def write_davis_set(folder: Path, video: Sequence[FramePair], *, most: int = 8) -> int:
    """Palette PNGs of the first frame's things in the layout of DAVIS 2017; the number of them."""
    things = [i for i, segment in video[0].gt.segments.items() if segment.isthing]
    area = np.bincount(video[0].gt.ids.ravel())
    objects = sorted(things, key=lambda segment_id: -area[segment_id])[:most]
    truth = folder / "DAVIS" / "Annotations" / "480p" / VIDEO
    _save(truth, _palette_images((f.gt for f in video), objects))
    _save(folder / "pred" / VIDEO, _palette_images((f.pred for f in video), objects))
    names = folder / "DAVIS" / "ImageSets" / "2017" / "val.txt"
    names.parent.mkdir(parents=True)
    names.write_text(f"{VIDEO}\n")
    return len(objects)


def png_paths(folder: Path) -> list[Path]:
    """The PNGs of the first video below a folder, references left out."""
    return [path for path in sorted(folder.rglob(f"{VIDEO}/*.png")) if not _is_reference(path)]


def _is_reference(path: Path) -> bool:
    return path.parts[-3:-1] == ("Annotations", VIDEO)


def _describe(t: int, labels: Labels) -> dict:
    area = np.bincount(labels.ids.ravel())
    segments = [
        {"id": i, "category_id": s.category, "iscrowd": 0, "area": int(area[i])}
        for i, s in labels.segments.items()
    ]
    return {"image_id": f"{t:05d}", "file_name": f"{t:05d}.png", "segments_info": segments}


def _palette_images(frames: Iterable[Labels], objects: Sequence[int]) -> dict[int, Image.Image]:
    """Pictures in which ``objects[k]`` has index k + 1 and all else 0."""
    palette = np.random.default_rng(0).integers(0, 256, 768, np.uint8).tobytes()
    return dict(enumerate(_paint(frames, objects, palette)))


def _paint(
    frames: Iterable[Labels], objects: Sequence[int], palette: bytes
) -> Iterator[Image.Image]:
    for labels in frames:
        table = np.zeros(1 + max(int(labels.ids.max()), *objects), np.uint8)
        table[list(objects)] = np.arange(1, len(objects) + 1)
        table[0] = 0
        image = Image.fromarray(table[labels.ids])
        image.putpalette(palette)
        yield image


def _save(folder: Path, images: Mapping[int, Image.Image]) -> None:
    folder.mkdir(parents=True)
    for t, image in images.items():
        image.save(folder / f"{t:05d}.png")
