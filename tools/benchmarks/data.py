"""``benchmark.py data``: what the mapper of training clips costs, as ratios.

Each row is one family's sampling and augmentation, from files to the ClipSample, against decoding
as many JPEGs and PNGs to arrays with Pillow and doing nothing with them. A ratio of 0.7 says that
the mapper gives seven clips where decoding alone would give ten. Each row runs in a fresh process
with one thread, and its times are processor time.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from tabulate import tabulate

from benchmarks.clip_files import write_clip_record
from benchmarks.mask_video import draw_video
from benchmarks.measure import in_fresh_process, is_installed, least_cpu_seconds, machine_facts
from vps.io import atomic_write, write_json
from vps.io.images import keep_freed_memory

TARGET = 0.7


class Family(NamedTuple):
    """What a family of models asks of the mapper: options of a config file, by the height H of the
    frames (numbers in text are shares of it).
    """

    name: str
    options: dict[str, Any]


_PANOFCN_SIDES = (608, 748, 806, 864, 922, 980, 1036, 1094, 1152, 1206, 1267, 1324, 1382, 1440)
_VOS: dict[str, Any] = {
    "MIN_SIZE_TRAIN": (336, 624),
    "MIN_SIZE_TRAIN_SAMPLING": "range",
    "INTERPOLATION": "bicubic",
    "CROP.ENABLED": True,
    "CROP.TYPE": "absolute",
    "CROP.SIZE": [465, 465],
    "CROP.TRIES": 5,
    "CROP.PAD": True,
    "CLIP.SAMPLER": "sequence",
    "CLIP.LENGTH": 5,
    "CLIP.MAX_GAP": 3,
    "CLIP.REVERSE": True,
}
_STRONG_COLOR: dict[str, Any] = {
    "COLOR_JITTER": 0.4,
    "COLOR.SATURATION": 0.2,
    "COLOR.HUE": 0.1,
    "COLOR.JITTER_PROBABILITY": 0.8,
    "COLOR.GRAYSCALE_PROBABILITY": 0.2,
    "COLOR.BLUR_PROBABILITY": 0.3,
    "COLOR.PER_FRAME": True,
}
FAMILIES = (
    # The published crop of 800x1600 out of 1024x2048, at the size of these frames.
    Family(
        "VPSNet, T=2",
        {
            "MIN_SIZE_TRAIN": ("0.8", "1.5"),
            "MIN_SIZE_TRAIN_SAMPLING": "range",
            "MAX_SIZE_TRAIN": 4096,
            "CROP.ENABLED": True,
            "CROP.TYPE": "absolute",
            "CROP.SIZE": ["0.78", "1.39"],
        },
    ),
    Family(
        "Clip-PanoFCN, T=3",
        {
            "MIN_SIZE_TRAIN": _PANOFCN_SIDES,
            "MAX_SIZE_TRAIN": 4096,
            "CROP.ENABLED": True,
            "CROP.TYPE": "absolute",
            "CROP.SIZE": [608, 608],
            "CLIP.SAMPLER": "consecutive",
            "CLIP.LENGTH": 3,
        },
    ),
    Family("AOT, T=5", _VOS),
    Family("PAOT, T=5, strong colour", {**_VOS, **_STRONG_COLOR, "CLIP.MAX_OBJECTS": [10, 5]}),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--frames", type=int, default=16, help="frames of the video")
    add("--heights", type=int, nargs="+", default=[480, 720], help="of the frames, 16 to 9")
    add("--clips", type=int, default=8, help="clips per round")
    add("--repeat", type=int, default=5, help="rounds, of which the best counts")
    add("--seed", type=int, default=9, help="of the drawing and of the augmentation")
    add("-o", "--output", type=Path, help="folder for data.json and data.txt")


def run(args: argparse.Namespace) -> str:
    """Measure; the table to print."""
    facts, results = machine_facts(), []
    ways = [("NumPy alone", False, False)]
    if is_installed("numba"):
        ways.append(("with numba and deflate", True, is_installed("deflate")))
    with tempfile.TemporaryDirectory() as folder:
        for height in args.heights:
            video = list(draw_video(args.seed, args.frames, height, height * 16 // 9))
            record = write_clip_record(Path(folder) / f"{height}p", video, seed=args.seed)
            for family in FAMILIES:
                for way, numba, deflate in ways:
                    found = in_fresh_process(
                        measure_mapper,
                        record,
                        resolve_options(family.options, height),
                        args.clips,
                        args.repeat,
                        args.seed,
                        numba=numba,
                        deflate=deflate,
                    )
                    results.append({"name": f"{family.name}, {height}p, {way}", **found})
    text = f"{_format(results)}\n\n" + ", ".join(f"{key} {value}" for key, value in facts.items())
    if args.output is not None:
        args.output.mkdir(parents=True, exist_ok=True)
        settings = {k: v for k, v in vars(args).items() if isinstance(v, int | list)}
        content = {"machine": facts, "settings": settings, "results": results}
        write_json(args.output / "data.json", content, indent=1)
        with atomic_write(args.output / "data.txt", "w") as file:
            file.write(f"{text}\n")
    return text


def resolve_options(options: dict[str, Any], height: int) -> list[Any]:
    """Options as [key, value, ...] below INPUT, with shares of the height as pixels."""
    found: list[Any] = []
    for key, value in options.items():
        if isinstance(value, tuple | list):
            value = type(value)(int(float(v) * height) if isinstance(v, str) else v for v in value)
        found += [f"INPUT.{key}", value]
    return found


# --- what runs in a fresh process -----------------------------------------------------------------


def measure_mapper(
    record: dict[str, Any], options: list[Any], clips: int, repeat: int, seed: int
) -> dict[str, float]:
    """Seconds of the same clips through the mapper and through a decoder alone."""
    from vps.config import add_vps_config
    from vps.d2.config import get_cfg
    from vps.data import ClipMapper

    cfg = get_cfg()
    add_vps_config(cfg)
    cfg.merge_from_list(options)
    mapper = ClipMapper(cfg)

    def map_clips() -> None:
        for number in range(clips):
            mapper(record, number % record["length"], np.random.default_rng([seed, number]))

    def decode_clips() -> None:
        for number in range(clips):
            for t in range(number, number + cfg.INPUT.CLIP.LENGTH):
                for key in ("file_names", "pan_seg_file_names"):
                    np.asarray(Image.open(record[key][t % record["length"]]))

    keep_freed_memory()
    seconds = least_cpu_seconds(repeat, decode=decode_clips, map=map_clips)
    return {
        "clips_per_second": clips / seconds["map"],
        "decode_clips_per_second": clips / seconds["decode"],
        "ratio": seconds["decode"] / seconds["map"],
    }


def _format(results: list[dict[str, Any]]) -> str:
    rows = [
        [
            result["name"],
            f"{result['clips_per_second']:.1f}/s",
            f"{result['decode_clips_per_second']:.1f}/s",
            f"{result['ratio']:.2f}",
            f"ratio >= {TARGET}",
        ]
        for result in results
    ]
    return tabulate(rows, ["", "clips", "decoding", "ratio", "aim"], disable_numparse=True)
