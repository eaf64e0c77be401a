#!/usr/bin/env python
"""Segment a video and draw the result over it.

    python tools/demo.py INPUT -o out.mp4 --config-file configs/... MODEL.WEIGHTS model.pth

INPUT is a video file, a folder of frames or the number of a camera (which Ctrl-C ends). Decoding,
inference and encoding overlap, a few frames apart, and nothing is kept: memory does not depend on
the length.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import logging
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from vps.structures import InputError, exit_status

_PICTURES_FPS = 10.0  # of folders of frames, which have no rate of their own


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "input", metavar="INPUT", help="video file, folder of frames, or number of a camera"
    )
    parser.add_argument(
        "-o", "--output", metavar="FILE", required=True, help="overlay video to write: .mp4, .mkv"
    )
    parser.add_argument("--config-file", metavar="FILE", required=True, help="YAML of the model")
    parser.add_argument(
        "--save-results",
        "--save-json",
        metavar="DIR",
        help="also write the results here, as panoptic PNGs and JSON unless --form says otherwise",
    )
    parser.add_argument(
        "--form",
        default="panoptic",
        help="of the results: panoptic, vipseg, cityscapes_vps, viper, viposeg, davis, youtube_vos",
    )
    parser.add_argument(
        "--side-by-side", action="store_true", help="put the original beside the overlay"
    )
    parser.add_argument("--no-labels", action="store_true", help="write no names and ids")
    parser.add_argument("--max-frames", metavar="N", type=int, help="stop after so many frames")
    parser.add_argument(
        "--fps", type=float, help="of the output; default: the input's, or 10 for a folder"
    )
    parser.add_argument(
        "opts", metavar="KEY VALUE", nargs="*", help="config options, MODEL.WEIGHTS among them"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Returns:
        The exit status: 0, 2 after bad input (said on stderr), 130 after an interrupt.
    """
    # Intermixed: options may stand between INPUT and the KEY VALUE pairs.
    args = build_parser().parse_intermixed_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    return exit_status(lambda: print(run(args)), interrupted="interrupted; nothing was written")


def run(args: argparse.Namespace) -> str:
    """Do the work; returns a summary for the user."""
    # Late, so that --help is quick.
    from vps.inference import VideoPredictor
    from vps.io.prefetch import prefetch
    from vps.io.results import open_result_writer
    from vps.io.streams import open_stream
    from vps.io.video import VideoWriter
    from vps.visualization import draw_panoptic

    if args.max_frames is not None and args.max_frames < 1:
        raise InputError(f"expected --max-frames of 1 or more, got {args.max_frames}")
    if Path(args.output).resolve() == Path(args.input).resolve():
        raise InputError(f"expected an output other than the input, got {args.output} for both")
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(open_stream(args.input))
        predictor = VideoPredictor(args.config_file, opts=args.opts)
        fps = args.fps if args.fps is not None else stream.fps or _PICTURES_FPS
        video = stack.enter_context(VideoWriter(args.output, fps=fps))
        results = table = None
        if args.save_results:
            results = open_result_writer(args.form, args.save_results, predictor.categories)
            table = stack.enter_context(results.video(stream.name))
        total = min(filter(None, (stream.length, args.max_frames)), default=None)
        progress = stack.enter_context(tqdm(total=total, unit="frame", desc=stream.name))
        # Inference runs in a thread of its own, two frames ahead of drawing and encoding.
        pairs = prefetch(predictor.with_images(stream), 2)
        stack.callback(pairs.close)
        stopped = stack.enter_context(_ctrl_c_ends(stream.length is None))
        for frame, result in itertools.islice(pairs, args.max_frames):
            picture = draw_panoptic(
                frame.image, result, predictor.categories, labels=not args.no_labels
            )
            if args.side_by_side:
                picture = np.concatenate([frame.image, picture], axis=1)
            video.write(picture)
            if table is not None:
                table.write(result)
            progress.update()
            if stopped.is_set():
                break
        seconds = progress.format_dict["elapsed"]
    lines = [
        f"{args.output}: {video.count} frames of {stream.name} in {seconds:.1f} s "
        f"({video.count / max(seconds, 1e-9):.1f} per second)"
    ]
    if results is not None:
        lines.append(f"{results.finish([stream.name])}: the results in the form {args.form}")
    if stream.truncated:
        announced = f" of the {stream.length} announced" if stream.length else ""
        lines.append(
            f"warning: the input is truncated or damaged; only {video.count}{announced} frames "
            "could be read"
        )
    lines.append(f"peak memory: {_peak_memory()}")
    return "\n".join(lines)


@contextlib.contextmanager
def _ctrl_c_ends(endless: bool) -> Iterator[threading.Event]:
    """Give an event; for an endless source Ctrl-C sets it, so that what was filmed is kept."""
    stopped = threading.Event()
    if not endless or threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    usual = signal.signal(signal.SIGINT, lambda *_: stopped.set())
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, usual)


def _peak_memory() -> str:
    """The most memory that this process has used so far, for people."""
    import torch

    peaks = []
    with contextlib.suppress(ImportError):  # Windows has no such module
        import resource

        unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes elsewhere
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        peaks.append(f"{peak / 2**20:.0f} MiB")
    # Of all GPUs, since MODEL.DEVICE may name any.
    on_gpu = sum(map(torch.cuda.max_memory_allocated, range(torch.cuda.device_count())))
    if on_gpu:
        peaks.append(f"{on_gpu / 2**20:.0f} MiB on the GPU")
    return ", ".join(peaks) or "unknown"


if __name__ == "__main__":
    sys.exit(main())
