"""``benchmark.py metrics``: what the evaluators cost, as ratios.

Everything is scored from files through ``vps.evaluation.official``, checks and all, and compared
with two things measured beside it in the same process: decoding the same PNGs to arrays with Pillow
and doing nothing with them, and VPQ as the published scripts compute it. Each row runs in a fresh
process with one thread, and its times are processor time.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tabulate import tabulate

from benchmarks.mask_files import (
    VIDEO,
    png_paths,
    write_davis_set,
    write_panoptic_set,
    write_viposeg_set,
)
from benchmarks.mask_video import CATEGORIES, draw_video
from benchmarks.measure import (
    child_seconds,
    cpu_seconds,
    in_fresh_process,
    is_installed,
    least_cpu_seconds,
    machine_facts,
    memory,
)
from benchmarks.naive_vpq import naive_vpq
from vps.evaluation.official import RunOptions, evaluate_objects, evaluate_panoptic
from vps.io import atomic_write, read_panoptic_runs, write_json
from vps.io.images import keep_freed_memory
from vps.metrics import FrameTable, VideoPanopticQuality, VideoTables
from vps.structures import Segment

WINDOWS = (1, 2, 4, 6, 8)
VIDEOS_OF_SET = 344  # times 24 frames: a set of 8,256, the size of VIPSeg's validation set
VIDEOS_OF_WORKERS, ROUNDS_OF_WORKERS = 16, 4  # 16 videos of 96 frames: worth a second worker

# (name, numba, deflate, ratio to decoding that is aimed at) of the three ways to work.
PANOPTIC_WAYS = (
    ("NumPy alone", False, False, 1.3),
    ("with numba", True, False, 1.1),
    ("with numba and deflate", True, True, 1.0),
)
OBJECT_WAYS = (("NumPy alone", False, False), ("with numba", True, True))
OBJECT_TARGETS = {"viposeg": (6.0, 2.5), "davis2017": (9.0, 3.0)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--frames", type=int, default=24, help="frames of the video")
    add("--height", type=int, default=720)
    add("--width", type=int, default=1280)
    add("--repeat", type=int, default=3, help="rounds, of which the best counts")
    add("--seed", type=int, default=9, help="of the drawing")
    add("--skip-reference", action="store_true", help="leave out the slow reference")
    add("--skip-set", action="store_true", help="leave out the large set and the workers")
    add("-o", "--output", type=Path, help="folder for metrics.json and metrics.txt")


def run(args: argparse.Namespace) -> str:
    """Measure; the table to print."""
    facts = machine_facts()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        objects = _write_data(args, folder)
        results = _measure_panoptic(args, folder)
        for mode, targets in OBJECT_TARGETS.items():
            results += _measure_objects(args, folder, mode, objects[mode], targets)
        window = in_fresh_process(measure_window, folder / "one", args.frames)
        results.append(window)
        if not args.skip_set:
            results += _measure_set(args, folder)
    table = _format(results)
    text = f"{table}\n\n" + ", ".join(f"{key} {value}" for key, value in facts.items())
    if args.output is not None:
        args.output.mkdir(parents=True, exist_ok=True)
        settings = {k: v for k, v in vars(args).items() if isinstance(v, int)}
        content = {"machine": facts, "settings": settings, "results": results}
        write_json(args.output / "metrics.json", content, indent=1)
        with atomic_write(args.output / "metrics.txt", "w") as file:
            file.write(f"{text}\n")
    return text


def _write_data(args: argparse.Namespace, folder: Path) -> dict[str, int]:
    """All sets; the number of objects of those that have some."""
    video = list(draw_video(args.seed, args.frames, args.height, args.width))
    write_panoptic_set(folder / "one", video)
    if not args.skip_set:
        write_panoptic_set(folder / "many", video, videos=VIDEOS_OF_SET)
        write_panoptic_set(
            folder / "workers", video, videos=VIDEOS_OF_WORKERS, rounds=ROUNDS_OF_WORKERS
        )
    return {
        "viposeg": write_viposeg_set(folder / "viposeg", video),
        "davis2017": write_davis_set(folder / "davis2017", video),
    }


def _measure_panoptic(args: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    results = []
    for name, numba, deflate, target in PANOPTIC_WAYS:
        if (numba and not is_installed("numba")) or (deflate and not is_installed("deflate")):
            continue
        found = in_fresh_process(
            measure_panoptic, folder / "one", args.repeat, numba=numba, deflate=deflate
        )
        results.append({"name": f"VPQ{WINDOWS} + STQ, {name}", "target": target, **found})
    if not args.skip_reference:
        found = in_fresh_process(measure_reference, folder / "one", numba=False)
        if not np.allclose(found.pop("scores"), results[0]["scores"], rtol=0, atol=1e-12):
            raise AssertionError("the reference and the evaluator disagree")
        results.append({"name": f"VPQ{WINDOWS}, every window anew", **found})
    for result in results:
        result.pop("scores", None)
    return results


def _measure_objects(
    args: argparse.Namespace, folder: Path, mode: str, number: int, targets: tuple[float, float]
) -> list[dict[str, Any]]:
    title = {"viposeg": "VIPOSeg", "davis2017": "DAVIS J&F"}[mode]
    return [
        {
            "name": f"{title}, {number} objects, {name}",
            "target": target,
            **in_fresh_process(
                measure_objects, mode, folder / mode, args.repeat, numba=numba, deflate=deflate
            ),
        }
        for (name, numba, deflate), target in zip(OBJECT_WAYS, targets)
        if not numba or is_installed("numba")
    ]


def _measure_set(args: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    ways = [way for way in PANOPTIC_WAYS[::2] if not way[1] or is_installed("numba")]
    results = []
    ceiling = measure_ceiling(png_paths(folder / "one"))
    for name, numba, deflate, _ in ways:
        one, two = (
            in_fresh_process(
                measure_workers, folder / "workers", workers, numba=numba, deflate=deflate
            )
            for workers in (1, 2)
        )
        if one["scores"] != two["scores"]:
            raise AssertionError("the scores depend on the number of workers")
        results.append(
            {
                "name": f"{VIDEOS_OF_WORKERS} videos by 2 workers, {name}",
                "seconds": two["clock"],
                "speedup": one["clock"] / two["clock"],
                "speedup_on_free_cores": one["clock_on_free_cores"] / two["clock_on_free_cores"],
                "speedup_of_decoding": ceiling,
                "target_speedup": 1.8,
            }
        )
    name, numba, deflate, _ = ways[-1]
    found = in_fresh_process(measure_growth, folder / "many", numba=numba, deflate=deflate)
    frames = VIDEOS_OF_SET * args.frames
    return [*results, {"name": f"a set of {frames} frames, {name}", **found}]


# --- what runs in a fresh process -----------------------------------------------------------------


def decode(paths: list[Path]) -> None:
    """Decode to arrays and do nothing, in memory that is kept as the evaluators keep it: without
    that, decoding may take two thirds longer and every ratio would flatter.
    """
    keep_freed_memory()
    for path in paths:
        np.asarray(Image.open(path))


def score_panoptic(folder: Path, **options: Any) -> list[float]:
    """All that the official programs print, from files: PQ per window, STQ."""
    metrics, run = ("vpq", "stq"), RunOptions(**options)
    evaluation = evaluate_panoptic(
        "vipseg", folder / "gt", folder / "pred", metrics=metrics, windows=WINDOWS, run=run
    )
    results = evaluation.results
    vpq = [scores.all.pq for scores in results["vpq"].per_window.values()]
    return [*vpq, results["stq"].total.stq]


def measure_panoptic(folder: Path, repeat: int) -> dict[str, Any]:
    scores = score_panoptic(folder)[:-1]
    return {**_against_decoding(folder, repeat, partial(score_panoptic, folder)), "scores": scores}


def measure_reference(folder: Path) -> dict[str, Any]:
    scores: dict[int, float] = {}

    def score() -> None:
        scores.update(naive_vpq(folder, WINDOWS, len(CATEGORIES)))

    paths = png_paths(folder)
    decode(paths)
    seconds = {"decode": cpu_seconds(partial(decode, paths)), "score": cpu_seconds(score)}
    return {**_per_frame(seconds, paths), "scores": [scores[k] for k in WINDOWS]}


def measure_objects(mode: str, folder: Path, repeat: int) -> dict[str, Any]:
    truth = folder / {"viposeg": "valid", "davis2017": "DAVIS"}[mode]
    score = partial(evaluate_objects, mode, truth, folder / "pred")
    return _against_decoding(folder, repeat, score)


def _against_decoding(folder: Path, repeat: int, score: Callable[[], Any]) -> dict[str, Any]:
    paths = png_paths(folder)
    seconds = least_cpu_seconds(repeat, decode=partial(decode, paths), score=score)
    return _per_frame(seconds, paths)


def _per_frame(seconds: dict[str, float], paths: list[Path]) -> dict[str, float]:
    frames = len(paths) / 2
    return {
        "ms_per_frame": 1e3 * seconds["score"] / frames,
        "decode_ms_per_frame": 1e3 * seconds["decode"] / frames,
        "ratio": seconds["score"] / seconds["decode"],
        "peak_mb": memory()["peak"],
    }


def measure_window(folder: Path, frames: int) -> dict[str, Any]:
    """What VPQ costs when a window of three frames is added to the five."""
    annotations = {}
    for side in ("gt", "pred"):
        content = json.loads((folder / side / "panoptic.json").read_text())
        annotations[side] = content["annotations"][0]["annotations"]
    tables = []
    for gt, pred in zip(annotations["gt"], annotations["pred"]):
        sides = []
        for side, frame in (("gt", gt), ("pred", pred)):
            path = folder / side / "panoptic" / VIDEO / frame["file_name"]
            segments = {s["id"]: Segment(s["category_id"], False) for s in frame["segments_info"]}
            sides += [read_panoptic_runs(path), segments]
        tables.append(FrameTable.from_runs(*sides, frame_id=gt["image_id"]))
    video = VideoTables.from_frames(VIDEO, tables)

    def score(windows: tuple[int, ...]) -> None:
        VideoPanopticQuality(CATEGORIES, windows).update(video)

    seconds = least_cpu_seconds(
        50, five=partial(score, WINDOWS), six=partial(score, (1, 2, 3, 4, 6, 8))
    )
    return {
        "name": f"one more window, {frames} frames",
        "ms_per_video": 1e3 * (seconds["six"] - seconds["five"]),
        "target_ms_per_video": 0.5,
    }


def measure_workers(folder: Path, workers: int) -> dict[str, Any]:
    """Time by the clock, and what it would have been had the machine nothing else to do."""
    begin, begin_workers, begin_clock = time.process_time(), child_seconds(), time.perf_counter()
    scores = score_panoptic(folder, workers=workers)
    here, there = time.process_time() - begin, child_seconds() - begin_workers
    clock = time.perf_counter() - begin_clock
    return {"clock": clock, "clock_on_free_cores": here + there / workers, "scores": scores}


def measure_ceiling(paths: list[Path], processes: int = 2) -> float:
    """How much faster several processes decode than one: what the machine gives when they have
    nothing to say to each other. Less than their number where cores share their units or caches.
    """
    seconds = []
    for number in (1, processes):
        with ProcessPoolExecutor(number, multiprocessing.get_context("spawn")) as pool:
            list(pool.map(decode, [paths] * number))  # starting and importing do not count
            begin = time.perf_counter()
            list(pool.map(decode, [paths] * 4 * processes))
            seconds.append(time.perf_counter() - begin)
    return seconds[0] / seconds[1]


def measure_growth(folder: Path) -> dict[str, Any]:
    """Resident memory after the tenth video and after the last."""
    seen: list[float] = []
    score_panoptic(folder, progress=lambda outcome: seen.append(memory()["now"]))
    growth = seen[-1] - seen[min(10, len(seen)) - 1]
    return {"peak_mb": memory()["peak"], "target_peak_mb": 300, "growth_mb": growth}


def _format(results: list[dict[str, Any]]) -> str:
    rows = []
    for result in results:
        aims = {"target": "ratio <= {}", "target_speedup": "{}x", "target_peak_mb": "{} MB"}
        aims["target_ms_per_video"] = "{} ms per video"
        texts = [
            (f"{result['ms_per_frame']:.2f} ms" if "ms_per_frame" in result else ""),
            (f"{result['decode_ms_per_frame']:.2f} ms" if "ms_per_frame" in result else ""),
            (f"{result['ratio']:.2f}" if "ratio" in result else ""),
            (f"{result['peak_mb']:.0f} MB" if "peak_mb" in result else ""),
            ", ".join(
                text.format(result[key])
                for key, text in (
                    ("ms_per_video", "{:.2f} ms per video"),
                    ("seconds", "{:.1f} s"),
                    ("speedup", "{:.2f}x one worker"),
                    ("speedup_on_free_cores", "{:.2f}x by processor time"),
                    ("speedup_of_decoding", "decoding alone gains {:.2f}x"),
                    ("growth_mb", "grew by {:.0f} MB"),
                )
                if key in result
            ),
            ", ".join(text.format(result[key]) for key, text in aims.items() if key in result),
        ]
        rows.append([result["name"], *texts])
    headers = ["", "per frame", "decoding", "ratio", "peak", "", "aim"]
    return tabulate(rows, headers, disable_numparse=True)
