#!/usr/bin/env python
"""Make your own folders of frames and id PNGs ready for training (datasets/README.md, "Your own
data").

    python datasets/prepare_folder.py datasets/street/train datasets/street/val

Each FOLDER holds frames/, ids/ and categories.json; FOLDER/panoptic and FOLDER/panoptic.json are
made. A second run does only what is missing or has changed.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from vps.data.folder_dataset import folder_preparation
from vps.data.prepare.command import run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit status, 2 after bad input (said on stderr)."""
    parser = argparse.ArgumentParser(description="Prepare folders of your own.")
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="with frames/ and ids/")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    arguments = parser.parse_args(argv)
    return run_command(
        lambda: (folder_preparation(folder) for folder in arguments.folders), arguments.workers
    )


if __name__ == "__main__":
    sys.exit(main())
