#!/usr/bin/env python
"""Look through VIPOSeg as downloaded, or make annotations of its kind from prepared VIPSeg.

    python datasets/prepare_viposeg.py --root datasets/VIPOSeg
    python datasets/prepare_viposeg.py --root datasets/VIPOSeg_from_VIPSeg \\
        --from-vipseg datasets/VIPSeg/VIPSeg_720P

The first checks every mask against obj_class.json and writes meta.json where it is not shipped. A
second run does only what is missing or has changed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from vps.data.prepare.command import preparation_parser, run_command
from vps.data.prepare.viposeg import viposeg_preparation
from vps.data.prepare.viposeg_from_vipseg import viposeg_from_vipseg_preparation


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit status, 2 after bad input (said on stderr)."""
    parser = preparation_parser("Prepare VIPOSeg.", "VIPOSeg", "VIPOSeg, or the folder to make")
    add = parser.add_argument
    add("--from-vipseg", type=Path, metavar="VIPSEG_720P", help="make ROOT from prepared VIPSeg")
    add("--keep-unseen", action="store_true", help="leave unseen classes in train")
    arguments = parser.parse_args(argv)

    def list_preparations():
        if arguments.from_vipseg is None:
            yield viposeg_preparation(arguments.root)
        else:
            yield viposeg_from_vipseg_preparation(
                arguments.from_vipseg, arguments.root, keep_unseen=arguments.keep_unseen
            )

    return run_command(list_preparations, arguments.workers)


if __name__ == "__main__":
    sys.exit(main())
