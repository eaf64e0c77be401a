#!/usr/bin/env python
"""Turn VIPER as downloaded into a video panoptic data set with the 23 classes of VPSNet.

    python datasets/prepare_viper.py --source path/to/VIPER --root datasets/viper_vps

SOURCE holds {train,val}/{img,cls,inst}/SSS/. VPSNet scores the first 50 frames of the sequences by
day: name those with --val-sequences. A second run does only what is missing or has changed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from vps.data.prepare.command import preparation_parser, run_command
from vps.data.prepare.viper import VAL_FRAMES, viper_preparation


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit status, 2 after bad input (said on stderr)."""
    parser = preparation_parser("Prepare VIPER.", "viper_vps", "folder to make")
    add = parser.add_argument
    add("--source", type=Path, required=True, help="VIPER as downloaded")
    add("--train-stride", type=int, default=1, help="take each n-th frame of train")
    add("--val-frames", type=int, default=VAL_FRAMES, help="first frames to take; 0 takes all")
    add("--val-sequences", nargs="+", metavar="SSS", help="sequences of val to take, else all")
    arguments = parser.parse_args(argv)

    def list_preparations():
        yield viper_preparation(
            arguments.source,
            arguments.root,
            sequences={"val": arguments.val_sequences or ()},
            first={"val": arguments.val_frames or None},
            stride={"train": arguments.train_stride},
        )

    return run_command(list_preparations, arguments.workers)


if __name__ == "__main__":
    sys.exit(main())
