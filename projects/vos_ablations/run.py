#!/usr/bin/env python
"""What each idea of PAOT and AOST is worth, at toy size: trains the variants, prints a table.

    python datasets/make_shapes.py --layout viposeg
    export DETECTRON2_DATASETS=datasets/shapes_layouts
    python projects/vos_ablations/run.py                              # all studies, one seed
    python projects/vos_ablations/run.py --study capacity depth --seeds 7 8 9
    python projects/vos_ablations/run.py --dry-run                    # only the commands

Every variant is a config file with a few options on the command line of ``tools/train_net.py``;
KEY VALUE pairs for all of them come last, after ``--``. A run that has its scores is not done
again, so a batch that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vps.structures import InputError, exit_status

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs" / "shapes_viposeg"
RESULT = Path("inference", "vps_viposeg_val", "viposeg.json")
SCORES = ("G", "Gth", "Gsf", "lambda")

GENERIC = ("MODEL.VOS.VARIANT", "R50-PAOT", "INPUT.CLIP.MAX_OBJECTS", "[10]")


@dataclass(frozen=True)
class Variant:
    """A row of a study.

    Attributes:
        name: of the row, and of its folder.
        paper: what the papers report for it, on their data.
        config: file in ``configs/shapes_viposeg``.
        options: KEY VALUE pairs for training and evaluation.
        trained_as: the row whose weights it evaluates; None trains its own.
        starts_from: the row whose weights its training starts from, where they fit; None starts
            from random ones.
    """

    name: str
    paper: str
    config: str = "paot_pano_mbv2.yaml"
    options: tuple[str, ...] = ()
    trained_as: str | None = None
    starts_from: str | None = None


def capacity_options(capacity: int) -> tuple[str, ...]:
    """Generic identities, so many of them."""
    objects = ("INPUT.CLIP.MAX_OBJECTS", f"[{capacity}]")
    return (*GENERIC[:2], *objects, "MODEL.VOS.NETWORK.CAPACITY", str(capacity))


def depth_variant(depth: int, paper: str) -> Variant:
    """AOST, trained once with three layers, run with ``depth`` of them."""
    options = ("MODEL.VOS.INFERENCE.DEPTH", str(depth))
    trained_as = None if depth == 3 else "depth_3"
    return Variant(f"depth_{depth}", paper, "aost_mbv2.yaml", options, trained_as)


STUDIES: dict[str, list[Variant]] = {
    "identities": [
        Variant("generic", "G 77.5, lambda .77", options=GENERIC),
        Variant("pano", "G 77.9, lambda .76"),
        # As published: both go on from the same pre-training with generic identities.
        Variant("generic_on", "G 77.5, lambda .77", options=GENERIC, starts_from="generic"),
        Variant("pano_on", "G 77.9, lambda .76", starts_from="generic"),
    ],
    "pyramid": [
        # Three layers at stride 16 and the plain decoder (R50-AOT-L).
        Variant("no_pyramid", "G 76.4, lambda .78", "aot_l_mbv2.yaml"),
        Variant("generic", "G 77.5, lambda .77", options=GENERIC),
    ],
    "attention": [
        Variant(
            "plain_attention",
            "G 77.6, 6.2 frames per second",
            options=(
                *GENERIC,
                *("MODEL.VOS.NETWORK.MATCH_HEADS", "[4, 4, 4, 1]"),
                *("MODEL.VOS.NETWORK.SELF_STRIDE", "[1, 1, 1, 1]"),
                *("MODEL.VOS.NETWORK.MEMORY_STRIDE", "[1, 1, 1, 1]"),
            ),
        ),
        Variant("generic", "G 77.4, 10.5 frames per second", options=GENERIC),
    ],
    "depth": [
        depth_variant(3, "J&F 84.4"),
        depth_variant(2, "J&F 83.7"),
        depth_variant(1, "J&F 80.6"),
    ],
    "capacity": [
        Variant("capacity_5", "not reported", options=capacity_options(5)),
        Variant("generic", "G 77.5", options=GENERIC),  # 10
        Variant("capacity_15", "G 77.4", options=capacity_options(15)),
        Variant("capacity_20", "G 77.4", options=capacity_options(20)),
    ],
}


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Train the variants of PAOT and AOST at toy size and print a table of scores.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--study", nargs="+", choices=list(STUDIES), default=list(STUDIES), help="which to run")
    add("--seeds", nargs="+", type=int, default=[7], help="one training of every variant for each")
    add("--output", type=Path, default=Path("output/vos_ablations"), help="folder of the runs")
    add("--dry-run", action="store_true", help="print the commands and do nothing")
    add("options", nargs="*", help="KEY VALUE pairs for all runs, after --")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit status, 2 after bad input (said on stderr)."""
    return exit_status(run_studies, parse_arguments(argv))


def run_studies(arguments: argparse.Namespace) -> None:
    for study in arguments.study:
        rows = []
        for variant in STUDIES[study]:
            scores = []
            for seed in arguments.seeds:
                command, result = command_of(variant, seed, arguments.output, arguments.options)
                if arguments.dry_run:
                    sys.stdout.write(shlex.join(command) + "\n")
                    continue
                if not result.is_file():
                    run_command(command)
                scores.append(read_scores(result))
            rows.append((variant, scores))
        if not arguments.dry_run:
            sys.stdout.write(format_table(study, rows))


def command_of(
    variant: Variant, seed: int, output: Path, options: Sequence[str]
) -> tuple[list[str], Path]:
    """The command line of a run, and the file of scores that it makes."""
    folder = output / f"{variant.name}_{seed}"
    command = [sys.executable, str(ROOT / "tools" / "train_net.py")]
    command += ["--config-file", str(CONFIGS / variant.config)]
    weights = []
    if variant.trained_as is None:
        command.append("--resume")
    else:
        command.append("--eval-only")
    if source := variant.trained_as or variant.starts_from:
        weights = ["MODEL.WEIGHTS", str(output / f"{source}_{seed}" / "model_final.pth")]
    command += [*variant.options, *weights, "SEED", str(seed), "OUTPUT_DIR", str(folder), *options]
    return command, folder / RESULT


def run_command(command: Sequence[str]) -> None:
    """Run a command; its output goes to the terminal."""
    status = subprocess.run(command, check=False).returncode
    if status:
        raise InputError(f"expected a run that ends well, got exit status {status} of {command}")


def read_scores(path: Path) -> dict[str, float]:
    """The scores of a run, in percent."""
    if not path.is_file():
        raise InputError(f"expected scores in {path} after the run, got none")
    return json.loads(path.read_text())["percent"]


def format_table(study: str, rows: Sequence[tuple[Variant, list[dict[str, float]]]]) -> str:
    """A Markdown table: mean and, of several seeds, the standard deviation."""
    lines = [f"\n### {study}\n", f"| | {' | '.join(SCORES)} | paper |", "|---" * 6 + "|"]
    for variant, scores in rows:
        cells = [_cell([row[name] for row in scores if name in row]) for name in SCORES]
        lines.append(f"| {variant.name} | {' | '.join(cells)} | {variant.paper} |")
    return "\n".join(lines) + "\n"


def _cell(values: Sequence[float]) -> str:
    if not values:
        return "-"
    text = f"{statistics.fmean(values):.1f}"
    return text + (f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else "")


if __name__ == "__main__":
    sys.exit(main())
