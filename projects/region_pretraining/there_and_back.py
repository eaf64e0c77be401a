#!/usr/bin/env python
"""How long given masks are held in a video that has no others: there and back, and a look.

    python projects/region_pretraining/there_and_back.py --data vps_davis2017_test_dev \
        --config-file projects/region_pretraining/paot_mbv2.yaml --steps 5 15 44 \
        --weights output/region_pretraining/model_final.pth -o output/there_and_back

The masks that the data set gives in the first frame are followed through frames 0, 1, ..., n, ...,
1, 0. The last of these shows what the first did, so each object is scored by the IoU (J) of its
last mask with the one that was given; the share of labelled pixels that have their own object again
is counted too. A score for where labels end: it sees objects that are lost or mistaken, but not
errors that are undone on the way back, and masks that are merely copied score 100. So look at the
pictures as well: the way there of the longest walk is drawn as video.mp4 and sheet.png.

KEY VALUE pairs that change the config come last, after ``--``.
"""

from __future__ import annotations

import argparse
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from vps.data import dataset_categories, load_dataset
from vps.inference import VideoPredictor
from vps.io import write_json
from vps.io.references import iterate_references
from vps.io.streams import PictureSource, PrefetchedStream
from vps.io.video import VideoWriter
from vps.structures import (
    Category,
    Frame,
    InputError,
    PanopticFrame,
    VideoRecord,
    exit_status,
)
from vps.visualization import SheetRow, draw_panoptic, picture_sheet, write_picture

_COLUMNS, _WIDTH = 3, 640  # of the sheet, and of a picture on it in pixels
_PICTURES = 9


class Return(NamedTuple):
    """What came back.

    Attributes:
        steps: frames there, and as many back.
        overlaps: {object: J of its last mask}.
        areas: {object: pixels that were given}.
        kept: share of the given pixels that have their own object again.
    """

    steps: int
    overlaps: dict[int, float]
    areas: dict[int, int]
    kept: float


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Follow given masks there and back, and draw the way there.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--config-file", required=True, help="of a model that follows given masks")
    add("--weights", required=True, help="its checkpoint")
    add("--data", required=True, help="name of a registered data set")
    add("--video", help="one of its videos; without it the first")
    add("--steps", nargs="+", type=int, default=[5, 15], help="frames there, and as many back")
    add("-o", "--output", type=Path, required=True, help="folder of the results")
    add("--fps", type=float, default=9, help="of the video that is drawn")
    add("options", nargs="*", help="KEY VALUE pairs, after --")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit status, 2 after bad input (said on stderr)."""
    return exit_status(walk_and_report, parse_arguments(argv))


def walk_and_report(arguments: argparse.Namespace) -> None:
    """All walks, each after the other from the start; the table goes to stdout."""
    predictor = VideoPredictor(arguments.config_file, arguments.weights, opts=arguments.options)
    record = find_record(load_dataset(arguments.data), arguments.video, arguments.data)
    given = next(iterate_references(record))
    if given is None:
        raise InputError(
            f"expected masks in the first frame of video {record['video_id']} of {arguments.data}, "
            "got none"
        )
    if min(arguments.steps) < 1 or max(arguments.steps) >= record["length"]:
        raise InputError(
            f"expected --steps within 1..{record['length'] - 1} for video {record['video_id']} of "
            f"{record['length']} frames, got {arguments.steps}"
        )
    walks = []
    for steps in sorted(arguments.steps):
        results = predictor.with_images(
            walk(record, steps), references=lambda f: given if f.frame_id == name(0) else None
        )
        if steps == max(arguments.steps):
            # Segments have the classes of the masks that were given, not those of the training.
            categories = dataset_categories(arguments.data)
            results = draw_way_there(results, steps, categories, arguments.output, arguments.fps)
        ((_, last),) = deque(results, maxlen=1)
        walks.append(compare(steps, given.ids, last.ids))
    write_json(arguments.output / "there_and_back.json", [w._asdict() for w in walks], indent=1)
    sys.stdout.write(format_table(walks))


def find_record(records: Sequence[VideoRecord], video: str | None, data: str) -> VideoRecord:
    """The video of that name, or the first."""
    for record in records:
        if video in (None, record["video_id"]):
            return record
    names = [record["video_id"] for record in records]
    raise InputError(f"--video: expected one of {names} of {data}, got {video}")


def name(position: int) -> str:
    """Of a frame, by its place in the walk: a walk meets most frames of the video twice."""
    return f"{position:05d}"


def walk(record: VideoRecord, steps: int) -> PrefetchedStream:
    """The frames 0, 1, ..., steps, ..., 1, 0 of a video, named by ``name``."""
    paths = record["file_names"][: steps + 1]
    paths = [*paths, *paths[-2::-1]]
    size = (record["height"], record["width"])
    names = [name(position) for position in range(len(paths))]
    return PrefetchedStream(PictureSource(record["video_id"], paths, names, size=size))


def compare(steps: int, given: np.ndarray, returned: np.ndarray) -> Return:
    """Two maps of object ids, int [H, W]; 0 is none. Only given objects count."""
    objects = [i for i in np.unique(given).tolist() if i]
    overlaps, areas = {}, {}
    for i in objects:
        before, after = given == i, returned == i
        areas[i] = int(before.sum())
        overlaps[i] = float((before & after).sum() / (before | after).sum())
    labelled = given != 0
    kept = float((returned == given)[labelled].mean()) if objects else float("nan")
    return Return(steps, overlaps, areas, kept)


def draw_way_there(
    results: Iterator[tuple[Frame, PanopticFrame]],
    steps: int,
    categories: Sequence[Category],
    folder: Path,
    fps: float,
) -> Iterator[tuple[Frame, PanopticFrame]]:
    """Pass the results on; draw the first ``steps + 1``, and some of them on a sheet."""
    shown = set(np.linspace(0, steps, min(_PICTURES, steps + 1)).round().astype(int).tolist())
    cells: list[tuple[int, np.ndarray]] = []
    with VideoWriter(folder / "video.mp4", fps=fps) as writer:
        for position, (frame, result) in enumerate(results):
            drawn = draw_panoptic(frame.image, result, categories)
            writer.write(drawn)
            if position in shown:
                height = round(_WIDTH * drawn.shape[0] / drawn.shape[1])
                cells.append(
                    (position, np.asarray(Image.fromarray(drawn).resize((_WIDTH, height))))
                )
            yield frame, result
            if position == steps:
                break
    while len(cells) % _COLUMNS:
        cells.append((-1, np.full_like(cells[0][1], 255)))
    rows = [cells[k : k + _COLUMNS] for k in range(0, len(cells), _COLUMNS)]
    captions = [
        ", ".join(f"frame {position}" for position, _ in row if position >= 0) for row in rows
    ]
    sheet = [SheetRow(c, [picture for _, picture in row]) for c, row in zip(captions, rows)]
    write_picture(folder / "sheet.png", picture_sheet(sheet))
    yield from results


def format_table(walks: Sequence[Return]) -> str:
    """A Markdown table, in percent: all objects, the larger half of them and the smaller one."""
    lines = [
        "| frames there and back | J | larger half | smaller half | pixels kept |",
        "|---" * 5 + "|",
    ]
    for row in walks:
        order = sorted(row.overlaps, key=lambda i: row.areas[i], reverse=True)
        middle = (len(order) + 1) // 2
        cells = [
            f"{100 * np.mean([row.overlaps[i] for i in part]):.1f}" if part else "-"
            for part in (order, order[:middle], order[middle:])
        ]
        lines.append(f"| {row.steps} | {' | '.join(cells)} | {100 * row.kept:.1f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
