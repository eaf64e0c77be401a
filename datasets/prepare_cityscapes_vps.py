#!/usr/bin/env python
"""Make the panoptic PNGs and the ground-truth JSON of Cityscapes-VPS, which its archive lacks.

    python datasets/prepare_cityscapes_vps.py --root datasets/cityscapes_vps

ROOT holds panoptic_im_*_city_vps.json, train/ and val/ as shipped; panoptic_video/ folders and
panoptic_gt_*_city_vps.json are added. A second run does only what is missing or has changed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from vps.data.prepare.cityscapes_vps import cityscapes_vps_preparation
from vps.data.prepare.command import preparation_parser, run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit status, 2 after bad input (said on stderr)."""
    arguments = preparation_parser(
        "Prepare Cityscapes-VPS.", "cityscapes_vps", "Cityscapes-VPS as shipped"
    ).parse_args(argv)

    def list_preparations():
        yield cityscapes_vps_preparation(arguments.root)

    return run_command(list_preparations, arguments.workers)


if __name__ == "__main__":
    sys.exit(main())
