#!/usr/bin/env python
"""Look through VIPOSeg as downloaded, or make annotations of its kind from prepared VIPSeg.

    python datasets/prepare_viposeg.py --root datasets/VIPOSeg
    python datasets/prepare_viposeg.py --from-vipseg datasets/VIPSeg/VIPSeg_720P \\
        --root datasets/VIPOSeg_from_VIPSeg

The first checks every mask against obj_class.json and writes meta.json where it is not shipped. A
second run does only what is missing or has changed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from vps.data.prepare.command import default_root, preparation_parser, run_command
from vps.data.prepare.viposeg import viposeg_preparation
from vps.data.prepare.viposeg_from_vipseg import viposeg_from_vipseg_preparation

_REAL, _MADE = "VIPOSeg", "VIPOSeg_from_VIPSeg"  # folders


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit status, 2 after bad input (said on stderr)."""
    parser = preparation_parser(
        "Prepare VIPOSeg.",
        None,
        f"VIPOSeg, or the folder to make (default: {default_root(_REAL)}; with --from-vipseg: "
        f"{default_root(_MADE)}, since VIPOSeg itself is something else)",
    )
    add = parser.add_argument
    add("--from-vipseg", type=Path, metavar="VIPSEG_720P", help="make ROOT from prepared VIPSeg")
    add("--keep-unseen", action="store_true", help="leave unseen classes in train")
    arguments = parser.parse_args(argv)
    made = arguments.from_vipseg is not None
    root = getattr(arguments, "root", None) or default_root(_MADE if made else _REAL)

    def list_preparations():
        if made:
            yield viposeg_from_vipseg_preparation(
                arguments.from_vipseg, root, keep_unseen=arguments.keep_unseen
            )
        else:
            yield viposeg_preparation(root)

    return run_command(list_preparations, arguments.workers)


if __name__ == "__main__":
    sys.exit(main())
