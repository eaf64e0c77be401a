#!/usr/bin/env python
"""Compare models that segment video with models that follow given masks, on the same videos.

    python tools/compare_heads.py --data shapes_vps_val -o output/heads \\
        --vps configs/shapes_vps/vpsnet_track_R_18.yaml output/vpsnet/model_final.pth \\
        --vos configs/shapes_vps/aot_t.yaml output/aot_t/model_final.pth --copy

``--vps`` and ``--vos`` may be repeated; ``--copy`` adds the head that copies every given mask
forward, against which learning is judged. All are scored by VPQ, STQ, VIPOSeg and J&F. Written into
the folder:

    scores.txt, scores.json   the tables, and everything in them as numbers
    curves.png                IoU, time and memory by the number of objects (needs matplotlib)
    side_by_side.mp4          image | ground truth | head | head ... of the first videos
    <head>/                   the predictions, which tools/evaluate.py can read
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from vps.structures import InputError, exit_status

if TYPE_CHECKING:
    from torch import nn

    from vps.evaluation.heads import Comparison, Head
    from vps.structures import VideoRecord


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", metavar="NAME", required=True, help="a registered data set")
    pair = {"nargs": 2, "metavar": ("CONFIG", "WEIGHTS"), "action": "append", "default": []}
    parser.add_argument("--vps", **pair, help="a model that segments raw video")
    parser.add_argument("--vos", **pair, help="a model that follows given masks")
    parser.add_argument("--copy", action="store_true", help="add the head that copies masks")
    parser.add_argument("-o", "--output", metavar="DIR", required=True, help="folder to write")
    parser.add_argument("--videos", metavar="N", type=int, help="take the first N videos only")
    parser.add_argument(
        "--windows", metavar="K,K,...", default="1,2,4,6", help="of VPQ, in labelled frames"
    )
    parser.add_argument(
        "--show", metavar="N", type=int, default=2, help="videos in side_by_side.mp4 (2; 0: none)"
    )
    parser.add_argument("--fps", type=float, default=5.0, help="of side_by_side.mp4 (5)")
    parser.add_argument(
        "opts", metavar="KEY VALUE", nargs="*", help="config options, for all models alike"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool. Returns the exit status: 0, or 2 after bad input (said on stderr)."""
    return exit_status(run, build_parser().parse_intermixed_args(argv))


def run(args: argparse.Namespace) -> None:
    """Do the work."""
    # Late, so that --help is quick.
    from vps.data import load_dataset
    from vps.evaluation.heads import compare_heads, format_comparison
    from vps.io import atomic_write, write_json

    if not (args.vps or args.vos or args.copy):
        raise InputError("expected heads to compare, got none; add --vps, --vos or --copy")
    kinds = [("vps", *pair) for pair in args.vps] + [("vos", *pair) for pair in args.vos]
    warnings = find_leakage(kinds, args)  # reads the configs, which may name data sets of their own
    records = load_dataset(args.data)[: args.videos]
    folder = Path(args.output)
    steps = 2 * (len(kinds) + args.copy) * len(records)  # every head runs, then it is scored
    with tqdm(total=steps, unit="step") as bar:
        comparison = compare_heads(
            open_heads(kinds, args),
            args.data,
            records,
            folder,
            windows=_read_windows(args.windows),
            warnings=warnings,
            progress=lambda head, video_id: (bar.set_description(head), bar.update()),
        )
    text = format_comparison(comparison)
    write_json(folder / "scores.json", comparison.as_dict(), indent=1)
    with atomic_write(folder / "scores.txt", "w") as file:
        file.write(text + "\n")
    draw_curves(comparison, folder / "curves.png")
    if args.show:
        draw_side_by_side(comparison, records[: args.show], folder, args)
    print(text)


def open_heads(kinds: Sequence[tuple[str, str, str]], args: argparse.Namespace) -> Iterator[Head]:
    """The heads, each built when it is its turn."""
    from vps.data import dataset_categories
    from vps.evaluation.heads import CopyHead, Head
    from vps.inference import VideoPredictor

    for kind, config, weights in kinds:
        predictor = VideoPredictor(config, weights, opts=args.opts)
        yield Head(
            head_name(config, weights, kinds),
            kind,
            predictor.model,
            # What follows given masks has their classes, whatever it was trained on.
            predictor.categories if kind == "vps" else dataset_categories(args.data),
            device=str(predictor.device),
            backbone=find_backbone(predictor.model),
            trained_on=tuple(predictor.cfg.DATASETS.TRAIN),
            description={"config": config, "weights": weights},
        )
        del predictor
    if args.copy:
        yield Head("copy", "vos", CopyHead(), dataset_categories(args.data))


def find_backbone(model: nn.Module) -> nn.Module | None:
    """What a family calls its backbone or encoder."""
    for name in ("backbone", "network.encoder"):
        with contextlib.suppress(AttributeError):
            return model.get_submodule(name)
    return None


def head_name(config: str, weights: str, kinds: Sequence[tuple[str, str, str]]) -> str:
    """The name of the config; with that of the weights' folder where two heads share a config."""
    same = [other for _, path, other in kinds if Path(path).stem == Path(config).stem]
    if len(same) == 1:
        return Path(config).stem
    return f"{Path(config).stem}-{Path(weights).parent.name}-{Path(weights).stem}"


def find_leakage(kinds: Sequence[tuple[str, str, str]], args: argparse.Namespace) -> list[str]:
    """Sentences on heads that were trained on videos that are scored."""
    from vps.config import load_config
    from vps.data.leakage import warn_of_leakage

    warnings = []
    for _, config, weights in kinds:
        trained_on = load_config(config, args.opts).DATASETS.TRAIN
        if warning := warn_of_leakage(trained_on, args.data):
            warnings.append(f"{head_name(config, weights, kinds)}: {warning}")
    return warnings


def draw_curves(comparison: Comparison, picture: Path) -> None:
    """Draw IoU, time and memory by the number of objects; without matplotlib say so."""
    from vps.evaluation.heads.cost import bin_names
    from vps.visualization.crowd_curves import plot_crowd_curves

    costs = {head.name: head.cost.as_dict() for head in comparison.heads}
    panels = {
        "IoU (%)": {
            f"{head.name}, {answer}": {name: 100 * iou for name, (_, iou) in bins.items()}
            for head in comparison.heads
            for answer, bins in head.crowd.items()
        },
        "ms per frame": {
            name: {b: row["ms_per_frame"] for b, row in rows.items()}
            for name, rows in costs.items()
        },
        "peak memory (MB)": {
            name: {b: row["peak_mb"] for b, row in rows.items() if row["peak_mb"] is not None}
            for name, rows in costs.items()
        },
    }
    try:
        plot_crowd_curves(panels, bin_names(), picture)
    except ImportError as error:
        print(f"no curves: {error}", file=sys.stderr)


def draw_side_by_side(
    comparison: Comparison,
    records: Sequence[VideoRecord],
    folder: Path,
    args: argparse.Namespace,
) -> None:
    """Write the pictures of the first videos with what each head made of them."""
    from vps.data import dataset_categories
    from vps.io import read_ground_truth
    from vps.io.results import read_results
    from vps.io.streams import open_stream
    from vps.io.video import VideoWriter
    from vps.visualization import Panel, draw_panels

    truth_categories = dataset_categories(args.data)
    results = {head.name: read_results(folder / head.name) for head in comparison.heads}
    with VideoWriter(folder / "side_by_side.mp4", fps=args.fps) as video:
        for record in records:
            with open_stream(record) as stream:
                for index, frame in enumerate(stream):
                    truth = read_ground_truth(record, index) if record["labelled"][index] else None
                    panels = [Panel("ground truth", truth, truth_categories)]
                    panels += [
                        Panel(name, result.videos[record["video_id"]][index], result.categories)
                        for name, result in results.items()
                    ]
                    caption = f"{record['video_id']} / {frame.frame_id}"
                    video.write(draw_panels(frame.image, panels, caption=caption))


def _read_windows(text: str) -> tuple[int, ...]:
    try:
        windows = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"expected --windows as numbers, say 1,2,4,6, got {text!r}") from error
    return windows


if __name__ == "__main__":
    sys.exit(main())
