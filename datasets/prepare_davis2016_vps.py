#!/usr/bin/env python
"""Turn DAVIS 2016 (480p) into a video panoptic data set: one thing per sequence over background.

    python datasets/prepare_davis2016_vps.py --source path/to/DAVIS --root datasets/davis2016_vps

SOURCE holds JPEGImages/480p/<sequence>/*.jpg and Annotations/480p/<sequence>/*.png.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from vps.data.datasets.davis2016 import list_sequences, write_davis2016_split
from vps.structures import exit_status


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Turn DAVIS 2016 into a video panoptic data set.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    default_root = Path(os.environ.get("DETECTRON2_DATASETS", "datasets"), "davis2016_vps")
    add = parser.add_argument
    add("--source", type=Path, required=True, help="folder with JPEGImages/ and Annotations/")
    add("--root", type=Path, default=default_root, help="folder to make train/ and val/ in")
    add("--train-frames", type=int, default=20, help="first frames of each sequence for training")
    add("--val-frames", type=int, default=10, help="last frames of each sequence for validation")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit status, 2 after bad input (said on stderr)."""
    return exit_status(write_splits, parse_arguments(argv))


def write_splits(arguments: argparse.Namespace) -> None:
    splits = {
        "train": slice(0, arguments.train_frames),
        "val": slice(-arguments.val_frames, None),
    }
    total = len(list_sequences(arguments.source))
    for name, frames in splits.items():
        sequences = write_davis2016_split(arguments.source, arguments.root / name, frames)
        for _ in tqdm(sequences, total=total, desc=name, unit="sequence"):
            pass


if __name__ == "__main__":
    sys.exit(main())
