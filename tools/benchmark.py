#!/usr/bin/env python
"""Measure what the parts of the program cost, as ratios against something measured beside it.

    python tools/benchmark.py metrics                      evaluators, on masks that it draws itself
    python tools/benchmark.py data                         training clips from files, likewise
    python tools/benchmark.py vos                          propagation of masks (takes minutes)
    python tools/benchmark.py metrics --repeat 5 -o output/benchmark      also writes metrics.json

Other work on the machine disturbs the figures less than one would fear (they are processor time,
and of several rounds the best), but a quiet machine is still better.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from benchmarks import data, metrics, vos

from vps.structures import exit_status

SUBJECTS = {"metrics": metrics, "data": data, "vos": vos}


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    subjects = parser.add_subparsers(dest="subject", metavar="SUBJECT", required=True)
    for name, module in SUBJECTS.items():
        subject = subjects.add_parser(
            name,
            help=module.__doc__.split(": ", 1)[1].split("\n")[0],
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        module.add_arguments(subject)
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    """Measure and print the table."""
    print(SUBJECTS[args.subject].run(args))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool. Returns the exit status: 0, or 2 after bad input (said on stderr)."""
    return exit_status(run, parse_arguments(argv))


if __name__ == "__main__":
    sys.exit(main())
