"""A made-up labelled video on disk, to time the reading of clips: photo-like JPEGs over the masks
of ``mask_video``, and a VideoRecord of them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.mask_video import CATEGORIES, FramePair
from vps.structures import VideoRecord, ids_to_rgb

_OCTAVES = 6
_QUALITY = 92  # of the JPEGs: about 110 KB at 480p, as DAVIS has them, and 230 KB at 720p


def write_clip_record(folder: Path, video: list[FramePair], *, seed: int) -> VideoRecord:
    """Write frames as JPEG and their truth as RGB PNG; the record of the video."""
    height, width = video[0].gt.ids.shape
    texture = _draw_texture(height, width, np.random.default_rng(seed))
    names = [f"{t:05d}" for t in range(len(video))]
    for kind in ("images", "panoptic"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for t, (name, frame) in enumerate(zip(names, video)):
        ids = frame.gt.ids
        picture = np.stack([ids * step % 128 + 64 for step in (37, 91, 53)], axis=-1)
        picture = picture + np.roll(texture, (2 * t, 3 * t), (0, 1))
        photo = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
        photo.save(folder / "images" / f"{name}.jpg", quality=_QUALITY)
        Image.fromarray(ids_to_rgb(ids)).save(folder / "panoptic" / f"{name}.png")
    return VideoRecord(
        video_id=folder.name,
        height=height,
        width=width,
        length=len(video),
        file_names=[str(folder / "images" / f"{name}.jpg") for name in names],
        image_ids=names,
        labelled=[True] * len(video),
        pan_seg_file_names=[str(folder / "panoptic" / f"{name}.png") for name in names],
        segments_infos=[
            [
                {
                    "id": key,
                    "category_id": segment.category,
                    "isthing": CATEGORIES[segment.category].isthing,
                    "iscrowd": False,
                }
                for key, segment in frame.gt.segments.items()
            ]
            for frame in video
        ],
    )


def _draw_texture(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Noise with as much of every scale, as photos have it: float [H, W, 3] around 0."""
    total = np.zeros((height, width, 3), np.float32)
    for octave in range(_OCTAVES):
        cell = 2**octave
        coarse = rng.integers(0, 256, (-(-height // cell), -(-width // cell), 3), dtype=np.uint8)
        smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        total += (np.asarray(smooth, np.float32) - 128) * (0.06 + 0.03 * octave)
    return total
