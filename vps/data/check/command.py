"""Check a data set: find all that is wrong with its files.

    python -m vps.data.check shapes_vps_train
    python datasets/check.py vps_vipseg_val --workers 8 --json problems.json

Every picture and label is decoded and compared with the index; nothing is changed. Problems are
errors (a training would stop, or a score be wrong), warnings (probably not meant) and notes.

Exit status: 0 no errors, 3 errors were found (with --strict: or warnings), 2 bad usage,
130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from vps.structures import INPUT_ERROR_STATUS, InputError

FOUND_STATUS = 3
INTERRUPT_STATUS = 130


def build_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", metavar="NAME", help="a registered data set; a folder: --layout")
    parser.add_argument(
        "--layout",
        help="NAME is a folder in this layout: panoptic (images/, panoptic/, panoptic.json), "
        "folder (your own, after datasets/prepare_folder.py) or vipseg_raw (VIPSeg "
        "as it is downloaded)",
    )
    parser.add_argument("--json", metavar="FILE", help="write what was found to a file, too")
    parser.add_argument("--workers", metavar="N", type=int, default=1, help="processes (1)")
    parser.add_argument(
        "--most", metavar="N", type=int, default=5, help="examples of each kind to print (5)"
    )
    parser.add_argument("--strict", action="store_true", help="let warnings count as errors")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    args = build_parser().parse_args(argv)
    try:
        return run(args)
    except InputError as error:
        sys.stderr.write(f"error: {error}\n")
        return INPUT_ERROR_STATUS
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; not everything was checked\n")
        return INTERRUPT_STATUS


def run(args: argparse.Namespace) -> int:
    """Check and report."""
    # Late, so that --help is quick.
    from vps.data.check.folder import folder_source
    from vps.data.check.problems import Severity
    from vps.data.check.report import Report
    from vps.data.check.run import check_dataset, check_source
    from vps.io import write_json

    report = Report(args.name)
    with _ProgressBar(report, show=not args.quiet) as bar:
        options = {"workers": args.workers, "progress": bar}
        if args.layout is None:
            report.add(check_dataset(args.name, **options))
        else:
            report.add(check_source(folder_source(args.name, args.layout), **options))
    sys.stdout.write(report.as_text(most=args.most) + "\n")
    if args.json:
        write_json(args.json, report.as_dict(), indent=1)
    worst = Severity.WARNING if args.strict else Severity.ERROR
    return FOUND_STATUS if any(report.count(s) for s in Severity if s >= worst) else 0


class _ProgressBar:
    """Frames that are checked, of all; counts them for the report."""

    def __init__(self, report, *, show: bool) -> None:
        from tqdm import tqdm

        tqdm.monitor_interval = 0  # no thread, which forked processes would inherit
        self._report = report
        self._videos: set[str] = set()
        self._bar = tqdm(unit="frame", desc=report.name, disable=not show)

    def __enter__(self) -> _ProgressBar:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()

    def start(self, num_frames: int | None) -> None:
        if num_frames is not None:
            self._bar.total = num_frames
            self._bar.refresh()

    def step(self, video_id: str, num_frames: int) -> None:
        self._videos.add(video_id)
        self._report.num_videos = len(self._videos)
        self._report.num_frames += num_frames
        self._bar.update(num_frames)
