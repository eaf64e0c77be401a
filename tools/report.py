#!/usr/bin/env python
"""Show what a model does with a labelled data set: a video, a picture sheet, a curve, the scores.

    python tools/report.py --config-file configs/... -o output/demo MODEL.WEIGHTS model_final.pth

Takes the first videos of DATASETS.TEST and writes into the folder

    video.mp4            image | ground truth | prediction, side by side, one video after the other
    sheet.png            the same for a few frames of each
    training_curve.png   where the folder holds the metrics.json of a training run

A predicted thing wears the colour of the true thing that it covers best, so that a track which
changes its identity is seen.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from vps.structures import InputError, exit_status

if TYPE_CHECKING:
    from vps.inference import VideoPredictor
    from vps.structures import VideoRecord
    from vps.visualization import Comparison


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config-file", metavar="FILE", required=True, help="YAML of the model")
    parser.add_argument("-o", "--output", metavar="DIR", required=True, help="folder to write")
    parser.add_argument("--videos", metavar="N", type=int, default=4, help="videos to show (4)")
    parser.add_argument("--rows", metavar="N", type=int, default=3, help="sheet rows of each (3)")
    parser.add_argument("--fps", type=float, default=4.0, help="of the video (4)")
    parser.add_argument(
        "opts", metavar="KEY VALUE", nargs="*", help="config options, MODEL.WEIGHTS among them"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool. Returns the exit status: 0, or 2 after bad input (said on stderr)."""
    return exit_status(run, build_parser().parse_intermixed_args(argv))


def run(args: argparse.Namespace) -> None:
    """Do the work."""
    # Late, so that --help is quick.
    from vps.d2.data import DatasetCatalog
    from vps.inference import VideoPredictor
    from vps.io.video import VideoWriter
    from vps.visualization import comparison_rows, picture_sheet, plot_curves, write_picture

    for name, value in (("--videos", args.videos), ("--rows", args.rows)):
        if value < 1:
            raise InputError(f"expected {name} of 1 or more, got {value}")
    folder = Path(args.output)
    predictor = VideoPredictor(args.config_file, opts=args.opts)
    dataset = predictor.cfg.DATASETS.TEST[0]
    sheet = []
    with VideoWriter(folder / "video.mp4", fps=args.fps) as video:
        for record in tqdm(DatasetCatalog.get(dataset)[: args.videos], unit="video"):
            # All frames of a video together: colours are matched over the whole of it.
            comparisons = compare(predictor, record)
            rows = list(comparison_rows(comparisons, predictor.categories))
            for row in rows:
                video.write(np.concatenate(row.pictures, axis=1))
            chosen = np.linspace(0, len(rows) - 1, args.rows).round().astype(int)
            sheet += [rows[i] for i in chosen]
    columns = ("image", "ground truth", "prediction")
    write_picture(folder / "sheet.png", picture_sheet(sheet, columns=columns, title=dataset))
    if (folder / "metrics.json").is_file():
        plot_curves(folder / "metrics.json", folder / "training_curve.png")
    print(f"{folder}: {', '.join(sorted(path.name for path in folder.glob('*.*')))}")


def compare(predictor: VideoPredictor, record: VideoRecord) -> list[Comparison]:
    """Image, ground truth and prediction of the labelled frames of a (short) video."""
    from vps.io import read_ground_truth
    from vps.visualization import Comparison

    results = []
    for index, (frame, prediction) in enumerate(predictor.with_images(record)):
        if record["labelled"][index]:
            truth = read_ground_truth(record, index)
            caption = f"{record['video_id']} / {frame.frame_id}"
            results.append(Comparison(caption, frame.image, truth, prediction))
    return results


if __name__ == "__main__":
    sys.exit(main())
