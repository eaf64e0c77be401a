#!/usr/bin/env python
"""Make Shapes-VPS, the data set that needs no download: train and val in the panoptic video layout.

    python datasets/make_shapes.py --root datasets/shapes_vps
    python datasets/make_shapes.py --layout viposeg        # in datasets/shapes_layouts/VIPOSeg
    DETECTRON2_DATASETS=datasets/shapes_layouts python tools/train_net.py ...

With --layout, the same world in the on-disk form of another data set, so that whatever reads or
trains on that one can be tried at once. The same options give the same bytes.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tqdm import tqdm

from vps.data.shapes_world import ShapesSplit, write_shapes_split
from vps.data.shapes_world.layouts import LAYOUTS, default_splits, write_layout
from vps.structures import exit_status

_FOLDER = "shapes_layouts"  # of all layouts but the project's own, which may not hide real data


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Make Shapes-VPS: moving shapes over scenery, with exact panoptic labels.",
    )
    add = parser.add_argument
    add(
        "--layout",
        choices=("shapes", *LAYOUTS),
        default="shapes",
        help="on-disk form: the project's own (shapes, the default) or that of another data set",
    )
    add(
        "--root",
        type=Path,
        help="folder to make (default: shapes_vps, or for a --layout shapes_layouts/<its official "
        "name>, in $DETECTRON2_DATASETS or datasets)",
    )
    add(
        "--raw",
        action="store_true",
        help="leave the form that datasets/prepare_<layout>.py takes, where there is one",
    )
    add("--size", type=parse_size, help="HEIGHTxWIDTH of the frames, instead of the next two")
    add("--height", type=int, default=128, help="of the frames, pixels (default: 128)")
    add("--width", type=int, default=192, help="of the frames, pixels (default: 192)")
    own = "(default: the layout's; of shapes"
    add("--videos", type=int, help=f"number of videos in train {own} 200)")
    add("--frames", type=int, help=f"length of the videos in train {own} 6)")
    add("--val-videos", type=int, help=f"number of videos in val, and in test {own} 12)")
    add("--val-frames", type=int, help=f"length of the videos in val, and in test {own} 12)")
    add("--things", type=parse_range, default="4-8", help="things in a video: N, or FEWEST-MOST")
    add("--labelled-every", type=int, default=1, help="label every n-th frame only")
    add("--seed", type=int, default=0, help="another seed gives another data set")
    add("--workers", type=int, default=os.cpu_count(), help="processes")
    arguments = parser.parse_args(argv)
    if arguments.size is not None:
        arguments.height, arguments.width = arguments.size
    if arguments.root is None:
        datasets = Path(os.environ.get("DETECTRON2_DATASETS", "datasets"))
        if arguments.layout == "shapes":
            arguments.root = datasets / "shapes_vps"
        else:
            if datasets.name != _FOLDER:  # that of training on them, which is named for them alone
                datasets = datasets / _FOLDER
            arguments.root = datasets / LAYOUTS[arguments.layout].folder_of(raw=arguments.raw)
    return arguments


def parse_range(text: str) -> tuple[int, int]:
    """Parse "6" as (6, 6) and "4-8" as (4, 8)."""
    fewest, _, most = text.partition("-")
    return int(fewest), int(most or fewest)


def parse_size(text: str) -> tuple[int, int]:
    """Parse "48x64" as (48, 64)."""
    height, width = text.split("x")
    return int(height), int(width)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit status, 2 after bad input (said on stderr)."""
    return exit_status(write_splits, parse_arguments(argv))


def write_splits(arguments: argparse.Namespace) -> None:
    options = ("seed", "videos", "frames", "val_videos", "val_frames")
    options += ("height", "width", "things", "labelled_every")
    splits = default_splits(arguments.layout, **{key: getattr(arguments, key) for key in options})
    if arguments.layout == "shapes":
        for name, split in splits.items():
            with progress_bar(name, [split]) as bar:
                write_shapes_split(
                    arguments.root / name, split, workers=arguments.workers, progress=bar.update
                )
        return
    with progress_bar(arguments.layout, splits.values()) as bar:
        write_layout(
            arguments.root,
            arguments.layout,
            splits,
            raw=arguments.raw,
            workers=arguments.workers,
            progress=bar.update,
        )


def progress_bar(title: str, splits: Iterable[ShapesSplit]) -> tqdm:
    return tqdm(total=sum(split.videos for split in splits), desc=title, unit="video")


if __name__ == "__main__":
    sys.exit(main())
