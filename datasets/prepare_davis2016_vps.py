#!/usr/bin/env python
"""Turn DAVIS 2016 (480p) into a video panoptic data set: one thing per sequence over background.

    python datasets/prepare_davis2016_vps.py --source path/to/DAVIS --root datasets/davis2016_vps

SOURCE holds JPEGImages/480p/<sequence>/*.jpg and Annotations/480p/<sequence>/*.png. A second run
does only what is missing or has changed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from vps.data.prepare.command import preparation_parser, run_command
from vps.data.prepare.davis2016_vps import davis2016_vps_preparation


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit status, 2 after bad input (said on stderr)."""
    parser = preparation_parser(
        "Turn DAVIS 2016 into a video panoptic data set.",
        "davis2016_vps",
        "folder to make train/ and val/ in",
    )
    add = parser.add_argument
    add("--source", type=Path, required=True, help="folder with JPEGImages/ and Annotations/")
    add("--train-frames", type=int, default=20, help="first frames of each sequence for training")
    add("--val-frames", type=int, default=10, help="last frames of each sequence for validation")
    arguments = parser.parse_args(argv)
    splits = {
        "train": slice(0, arguments.train_frames),
        "val": slice(-arguments.val_frames, None),
    }

    def list_preparations():
        for split, frames in splits.items():
            yield davis2016_vps_preparation(arguments.source, arguments.root / split, frames)

    return run_command(list_preparations, arguments.workers)


if __name__ == "__main__":
    sys.exit(main())
