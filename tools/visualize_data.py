#!/usr/bin/env python
"""Draw the labels of a registered data set over its pictures, as they are on disk or as a model
gets them for training.

    python tools/visualize_data.py shapes_vps_val -o output/look
    python tools/visualize_data.py shapes_vps_train -o output/look --source dataloader \\
        --config-file configs/shapes_vps/vpsnet_track_R_18.yaml
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from vps.config import load_config
from vps.data import build_train_loader, dataset_categories, load_dataset
from vps.io import read_ground_truth, read_image
from vps.structures import Category, ClipSample, InputError, PanopticFrame, exit_status
from vps.visualization import draw_panoptic, write_picture

_LEGIBLE_HEIGHT = 360  # pixels; smaller pictures are enlarged, for the sake of the labels


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Draw the labels of a data set over its pictures.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("name", help="name of a registered data set, such as shapes_vps_val")
    add("-o", "--output", type=Path, required=True, help="folder for the pictures")
    add(
        "--source",
        choices=("annotation", "dataloader"),
        default="annotation",
        help="what is on disk, or the augmented clips that a model is trained on",
    )
    add("--config-file", help="YAML whose INPUT is used with --source dataloader")
    add("--max", type=int, default=50, help="number of pictures at most")
    add("opts", nargs="*", default=[], metavar="KEY VALUE", help="changes of the config")
    return parser.parse_args(argv)


def draw_annotations(name: str) -> Iterator[tuple[str, np.ndarray]]:
    """(file name, picture) for every frame of a data set, labelled or not."""
    categories = dataset_categories(name)
    for record in load_dataset(name):
        for t, (frame_id, path) in enumerate(zip(record["image_ids"], record["file_names"])):
            image = read_image(path)
            if record["labelled"][t]:
                image = draw(image, read_ground_truth(record, t), categories)
            yield f"{record['video_id']}/{frame_id}.png", image


def draw_clips(cfg) -> Iterator[tuple[str, np.ndarray]]:
    """(file name, picture) for every sample of a training loader: its frames side by side."""
    categories = dataset_categories(cfg.DATASETS.TRAIN[0])
    samples = (sample for batch in build_train_loader(cfg) for sample in batch)
    for number, sample in enumerate(samples):
        first_frame = f"{sample['video_id']}_{sample['frame_ids'][0]}"
        yield f"{number:05d}_{first_frame}.png", draw_clip(sample, categories)


def draw_clip(sample: ClipSample, categories: list[Category]) -> np.ndarray:
    """The T frames of a sample side by side, uint8 [H, T W, 3] or larger."""
    pictures = []
    for t, frame_id in enumerate(sample["frame_ids"]):
        image = sample["images"][t].permute(1, 2, 0).numpy()
        truth = PanopticFrame(frame_id, sample["ids"][t].numpy(), sample["segments"])
        pictures.append(draw(image, truth, categories))
    return np.concatenate(pictures, axis=1)


def draw(image: np.ndarray, truth: PanopticFrame, categories: list[Category]) -> np.ndarray:
    """The overlay, enlarged by a whole number where the labels would not be legible."""
    times = max(-(-_LEGIBLE_HEIGHT // image.shape[0]), 1)
    image, ids = (a.repeat(times, axis=0).repeat(times, axis=1) for a in (image, truth.ids))
    return draw_panoptic(
        image, PanopticFrame(truth.frame_id, ids, truth.segments), categories, alpha=0.4
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit status, 2 after bad input (said on stderr)."""
    return exit_status(write_pictures, parse_arguments(argv))


def write_pictures(arguments: argparse.Namespace) -> None:
    if arguments.max < 1:
        raise InputError(f"expected --max of at least 1, got {arguments.max}")
    config = None
    if arguments.config_file is not None:  # which may name data sets of its own
        dataset = ["DATASETS.TRAIN", f"({arguments.name!r},)", "DATALOADER.NUM_WORKERS", "0"]
        config = load_config(arguments.config_file, [*arguments.opts, *dataset])
    if arguments.source == "annotation":
        total = sum(record["length"] for record in load_dataset(arguments.name))
        pictures = draw_annotations(arguments.name)
    else:
        if config is None:
            raise InputError("expected --config-file with --source dataloader, for its INPUT")
        total = arguments.max
        pictures = draw_clips(config)
    total = min(total, arguments.max)
    for name, picture in tqdm(islice(pictures, total), total=total, unit="picture"):
        write_picture(arguments.output / name, picture)


if __name__ == "__main__":
    sys.exit(main())
