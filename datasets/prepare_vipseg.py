#!/usr/bin/env python
"""Turn VIPSeg as downloaded into its 720p form with RGB panoptic PNGs and JSON files.

    python datasets/prepare_vipseg.py --root datasets/VIPSeg

ROOT holds imgs/, panomasks/ and train.txt, val.txt, test.txt; ROOT/VIPSeg_720P is made. A second
run does only what is missing or has changed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from vps.data.prepare.command import preparation_parser, run_command
from vps.data.prepare.vipseg import FOLDER, HEIGHT, vipseg_preparation


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit status, 2 after bad input (said on stderr)."""
    parser = preparation_parser("Prepare VIPSeg.", "VIPSeg", "VIPSeg as downloaded")
    parser.add_argument("--output", type=Path, help=f"folder to make instead of ROOT/{FOLDER}")
    parser.add_argument("--height", type=int, default=HEIGHT, help="of the frames; official: 720")
    arguments = parser.parse_args(argv)
    output = arguments.output or arguments.root / FOLDER

    def list_preparations():
        yield vipseg_preparation(arguments.root, output, height=arguments.height)

    return run_command(list_preparations, arguments.workers)


if __name__ == "__main__":
    sys.exit(main())
