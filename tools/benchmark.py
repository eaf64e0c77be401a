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
import importlib
import sys
from collections.abc import Sequence

from vps.structures import exit_status

SUBJECTS = {
    "metrics": "what evaluation costs, against decoding the same PNGs",
    "data": "what reading training clips costs, against decoding the same files",
    "vos": "propagation of masks, against dense attention with groups in a loop",
}


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options; only the subject that is asked for is imported, since the processes that
    measure import this file too, and torch would count as memory of the evaluators.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    subjects = parser.add_subparsers(dest="subject", metavar="SUBJECT", required=True)
    for name, summary in SUBJECTS.items():
        subject = subjects.add_parser(
            name, help=summary, formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        if name in argv[:1]:
            module = importlib.import_module(f"benchmarks.{name}")
            module.add_arguments(subject)
            subject.set_defaults(measure=module.run)
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    """Measure and print the table."""
    print(args.measure(args))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool. Returns the exit status: 0, or 2 after bad input (said on stderr)."""
    return exit_status(run, parse_arguments(argv))


if __name__ == "__main__":
    sys.exit(main())
