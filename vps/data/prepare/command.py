"""What the scripts ``datasets/prepare_*.py`` have in common: options, progress bar, last words."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from vps.data.prepare.frame import Preparation, run_preparation
from vps.structures import exit_status


def preparation_parser(
    description: str | None, folder: str | None, root_help: str
) -> argparse.ArgumentParser:
    """A parser with --root and --workers.

    Args:
        description: of the script.
        folder: the data set's folder below $DETECTRON2_DATASETS, the default of --root; None:
            without --root the parsed arguments have no ``root``.
        root_help: what --root is.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    default = argparse.SUPPRESS if folder is None else default_root(folder)
    parser.add_argument("--root", type=Path, default=default, help=root_help)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    return parser


def default_root(folder: str) -> Path:
    """Where a data set's folder is looked for."""
    return Path(os.environ.get("DETECTRON2_DATASETS", "datasets"), folder)


def run_command(list_preparations: Callable[[], Iterable[Preparation]], workers: int) -> int:
    """Do the preparations one after the other; the exit status.

    0, or 2 after bad input and 130 after Ctrl-C, both of which are said on stderr in one line.
    """
    return exit_status(
        _run_all,
        list_preparations,
        workers,
        interrupted="interrupted: what was finished is kept, the same command does the rest",
    )


def _run_all(list_preparations: Callable[[], Iterable[Preparation]], workers: int) -> None:
    for preparation in list_preparations():
        with tqdm(total=len(preparation.jobs), desc=preparation.name, unit="video") as bar:
            manifest = run_preparation(preparation, workers=workers, progress=bar.update)
        sys.stderr.write(_summary(preparation, manifest))


def _summary(preparation: Preparation, manifest: dict[str, Any]) -> str:
    counts = ", ".join(f"{number} {what}" for what, number in manifest["counts"].items())
    path = preparation.root / preparation.manifest
    text = f"{preparation.name}: {counts}; {manifest['prepared_now']} prepared now; see {path}\n"
    if number := manifest["number_of_findings"]:
        text += f"{number} oddities, the first: {manifest['findings'][0]}\n"
    return text
