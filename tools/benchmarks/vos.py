"""``benchmark.py vos``: propagation of masks, against dense attention with groups in a loop.

The reference (``dense_propagation.py``) has the same weights and sees the same frame with the same
memory; the logits of both are compared. Measured is one frame between two writes into long-term
memory: encoding, matching, decoding, labels, and what is remembered for the next frame. Each
measurement has a process of its own with one thread; ``vos_processes.py`` says what time and memory
are. Then arithmetic by part (``vos_arithmetic.py``), as a share of what this machine's matrix
product reaches in the same process; the cost by number of objects; and memory over time.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from tabulate import tabulate

from benchmarks.measure import in_fresh_process, machine_facts
from benchmarks.vos_processes import (
    LENGTH_CAP,
    LENGTH_GAP,
    LENGTH_OBJECTS,
    Case,
    measure_dense,
    measure_engine,
    measure_length,
)
from vps.io import atomic_write, write_json
from vps.modeling.vos.variants import network_settings
from vps.structures import InputError

AIMS = {"speed": 2.0, "memory": 3.0, "difference": 1e-4, "rate": 0.5, "growth": 0.05}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this subject."""
    add, size = parser.add_argument, {"type": int, "nargs": 2, "metavar": ("H", "W")}
    add("--variants", nargs="+", default=["AOT-L", "R50-PAOT"], help="compared with the reference")
    add("--size", **size, default=[577, 1041], help="of the frames: 16k+1, for Swin 16k")
    add("--objects", type=int, default=30, help="of the comparison")
    add("--stored", type=int, default=16, help="frames in long-term memory")
    add(
        "--sweep",
        type=int,
        nargs="*",
        default=[1, 5, 10, 11, 20, 21, 30, 40, 60],
        metavar="N",
        help="numbers of objects of the first variant; none leaves this out",
    )
    add(
        "--lengths",
        type=int,
        nargs="*",
        default=[100, 1000],
        metavar="N",
        help="frames of the videos whose peak memory is compared; none leaves this out",
    )
    add("--length-size", **size, default=[129, 225], help="of their frames")
    add("--repeat", type=int, default=1, help="calls of which the fastest counts")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="of torch")
    add("--seed", type=int, default=0, help="of the weights and the frames")
    add("-o", "--output", type=Path, help="folder for vos.json and vos.txt")


def run(args: argparse.Namespace) -> str:
    """Measure; the tables to print.

    Raises:
        InputError: no such variant or device, or a size that a variant does not take.
    """
    cases = [_case(args, variant) for variant in args.variants]
    results: dict[str, Any] = {
        "machine": _machine(args.device),
        "case": {"size": args.size, "objects": args.objects, "stored frames": args.stored},
        "comparisons": {case.variant: compare(case) for case in cases},
    }
    first = cases[0]
    results["by number of objects"] = {
        objects: in_fresh_process(measure_engine, first._replace(objects=objects))
        for objects in args.sweep
    }
    long = first._replace(size=tuple(args.length_size), objects=LENGTH_OBJECTS, stored=LENGTH_CAP)
    results["peak MB by length"] = {
        length: in_fresh_process(measure_length, long, length) for length in args.lengths
    }
    text = format_results(results)
    if args.output is not None:
        args.output.mkdir(parents=True, exist_ok=True)
        write_json(args.output / "vos.json", results, indent=1)
        with atomic_write(args.output / "vos.txt", "w") as file:
            file.write(f"{text}\n")
    return text


def compare(case: Case) -> dict[str, Any]:
    """The engine and the reference, each in a process of its own.

    Returns:
        What both measured, how many times less time and memory the engine takes, by how much the
        logits differ (in their standard deviations), and the rate of arithmetic that is reached.
    """
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "engine.pt", Path(folder) / "dense.pt"]
        engine = in_fresh_process(measure_engine, case, paths[0])
        dense = in_fresh_process(measure_dense, case, paths[1])
        found, expected = (torch.load(path, weights_only=True) for path in paths)
    rate = sum(engine["GFLOP"].values()) / engine["seconds"]
    return {
        "engine": engine,
        "dense": dense,
        "speed": dense["seconds"] / engine["seconds"],
        "memory": ratio(dense["peak MB"], engine["peak MB"]),
        "difference": float((found - expected).abs().max() / expected.std()),
        "GFLOP/s": rate,
        "rate": rate / engine["matrix product GFLOP/s"],
    }


def ratio(amount: float, reference: float) -> float | None:
    """``amount / reference``; None where the reference is too small to be seen."""
    return amount / reference if reference > 0 else None


def format_results(results: dict[str, Any]) -> str:
    """The tables of a run."""
    height, width = results["case"]["size"]
    parts = [
        f"One frame of {height}x{width}, {results['case']['objects']} objects, "
        f"{results['case']['stored frames']} stored frames"
    ]
    parts += [_comparison(name, row) for name, row in results["comparisons"].items()]
    if results["by number of objects"]:
        parts.append(_sweep(results))
    if results["peak MB by length"]:
        parts.append(_lengths(results["peak MB by length"]))
    parts.append(", ".join(f"{key} {value}" for key, value in results["machine"].items()))
    return "\n\n".join(parts)


def _comparison(variant: str, row: dict[str, Any]) -> str:
    sides = [
        [
            name,
            f"{1 / side['seconds']:.3f}",
            f"{side['seconds']:.2f}",
            f"{side['of it in the system']:.2f}" if "of it in the system" in side else "",
            f"{side['peak MB']:.0f}",
        ]
        for name, side in (("engine", row["engine"]), ("dense, group by group", row["dense"]))
    ]
    memory = "?" if row["memory"] is None else f"{row['memory']:.2f}"
    sides.append(["ratio", f"{row['speed']:.2f}", "", "", memory])
    sides.append(["aim", f">= {AIMS['speed']:g}", "", "", f">= {AIMS['memory']:g}"])
    header = [variant, "frames/s", "s/frame", "in the system", "peak MB"]
    whole = sum(row["engine"]["GFLOP"].values())
    shares = [
        [part, f"{count:.1f}", f"{count / whole:.1%}"]
        for part, count in {**row["engine"]["GFLOP"], "all": whole}.items()
    ]
    return "\n\n".join(
        [
            tabulate(sides, header, disable_numparse=True),
            f"Logits differ by at most {row['difference']:.1e} of their standard deviation "
            f"(aim: {AIMS['difference']:g}).",
            tabulate(shares, [variant, "GFLOP/frame", "share"], disable_numparse=True),
            f"{row['GFLOP/s']:.1f} GFLOP/s are {row['rate']:.0%} of the "
            f"{row['engine']['matrix product GFLOP/s']:.1f} of a matrix product "
            f"(aim: {AIMS['rate']:.0%}).",
        ]
    )


def _sweep(results: dict[str, Any]) -> str:
    variant = next(iter(results["comparisons"]))
    rows = [
        [objects, f"{1000 * row['seconds']:.0f}", f"{row['peak MB']:.0f}"]
        for objects, row in results["by number of objects"].items()
    ]
    return tabulate(rows, [f"{variant}, objects", "ms/frame", "peak MB"], disable_numparse=True)


def _lengths(peaks: dict[int, float]) -> str:
    rows = [[length, f"{peak:.1f}"] for length, peak in peaks.items()]
    largest = ratio(max(peaks.values()), min(peaks.values()))
    growth = "an amount too small to be seen" if largest is None else f"{largest - 1:.1%}"
    return "\n\n".join(
        [
            tabulate(rows, ["frames", "peak MB"], disable_numparse=True),
            f"They differ by {growth} (aim: {AIMS['growth']:.0%}); every frame that is "
            f"divisible by {LENGTH_GAP} is stored, {LENGTH_CAP} at most.",
        ]
    )


def _case(args: argparse.Namespace, variant: str) -> Case:
    step, rest = 16, 1 if network_settings(variant).align_corners else 0
    for side in (*args.size, *args.length_size):
        if side % step != rest:
            raise InputError(
                f"--size, --length-size: expected sides of {step}k+{rest} for {variant}, got {side}"
            )
    try:
        torch.zeros(1, device=args.device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"--device: expected one of this machine, got {args.device}") from error
    return Case(
        variant,
        tuple(args.size),
        args.objects,
        args.stored,
        device=args.device,
        repeat=args.repeat,
        seed=args.seed,
    )


def _machine(device: str) -> dict[str, Any]:
    facts = {**machine_facts(), "torch": torch.__version__}
    if torch.device(device).type == "cuda":
        facts["device"] = torch.cuda.get_device_name(device)
    return facts
