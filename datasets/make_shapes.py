#!/usr/bin/env python
"""Make Shapes-VPS, the data set that needs no download: train and val in the panoptic video layout.

    python datasets/make_shapes.py --root datasets/shapes_vps

The same options give the same bytes.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from vps.data.shapes_world import ShapesSplit, write_shapes_split
from vps.structures import exit_status


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Make Shapes-VPS: moving shapes over scenery, with exact panoptic labels.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    default_root = Path(os.environ.get("DETECTRON2_DATASETS", "datasets"), "shapes_vps")
    add = parser.add_argument
    add("--root", type=Path, default=default_root, help="folder to make train/ and val/ in")
    add("--height", type=int, default=128, help="of the frames, pixels")
    add("--width", type=int, default=192, help="of the frames, pixels")
    add("--videos", type=int, default=200, help="number of videos in train")
    add("--frames", type=int, default=6, help="length of the videos in train")
    add("--val-videos", type=int, default=12, help="number of videos in val")
    add("--val-frames", type=int, default=12, help="length of the videos in val")
    add("--things", type=parse_range, default="4-8", help="things in a video: N, or FEWEST-MOST")
    add("--labelled-every", type=int, default=1, help="label every n-th frame only")
    add("--seed", type=int, default=0, help="another seed gives another data set")
    add("--workers", type=int, default=os.cpu_count(), help="processes")
    return parser.parse_args(argv)


def parse_range(text: str) -> tuple[int, int]:
    """Parse "6" as (6, 6) and "4-8" as (4, 8)."""
    fewest, _, most = text.partition("-")
    return int(fewest), int(most or fewest)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit status, 2 after bad input (said on stderr)."""
    return exit_status(write_splits, parse_arguments(argv))


def write_splits(arguments: argparse.Namespace) -> None:
    common = {
        "height": arguments.height,
        "width": arguments.width,
        "things": arguments.things,
        "labelled_every": arguments.labelled_every,
    }
    splits = {
        "train": ShapesSplit(
            (arguments.seed, 0), videos=arguments.videos, frames=arguments.frames, **common
        ),
        "val": ShapesSplit(
            (arguments.seed, 1), videos=arguments.val_videos, frames=arguments.val_frames, **common
        ),
    }
    for name, split in splits.items():
        with tqdm(
            total=split.videos, desc=f"{name}: {split.frames} frames each", unit="video"
        ) as bar:
            write_shapes_split(
                arguments.root / name, split, workers=arguments.workers, progress=bar.update
            )


if __name__ == "__main__":
    sys.exit(main())
