#!/usr/bin/env python
"""Score predictions on disk in official formats against ground truth.

    python tools/evaluate.py vipseg --gt VIPSeg_720P/panomasksRGB \\
        --gt-json VIPSeg_720P/panoptic_gt_VIPSeg_val.json --pred results --output scores

MODE is one of

    vipseg           VPQ over windows of 1, 2, 4, 6 frames, STQ, mIoU
    cityscapes_vps   VPQ for k = 0, 5, 10, 15 in clips of six labelled frames, STQ, mIoU
    viper            VPQ over windows of 1, 5, 10, 15 frames, tubes of 1024 pixels or more
    panoptic         PQ of single images, as panopticapi
    stq              STQ alone, of VIPSeg's script or of deeplab2
    viposeg          IoU of masks and boundaries over seen and unseen things and stuff, crowd decay
    davis2016, davis2017, youtube_vos     J and F

`tools/evaluate.py MODE --help` shows the options of one. docs/metrics.md has the definitions and
the layouts. Exit status: 0; 2 after bad input, which is said in one sentence on stderr; 130 after
Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vps.structures import InputError, exit_status

PANOPTIC = {
    "vipseg": "VIPSeg",
    "cityscapes_vps": "Cityscapes-VPS",
    "viper": "VIPER",
    "panoptic": "COCO panoptic",
    "stq": "segmentation and tracking quality",
}
OBJECTS = {
    "viposeg": "VIPOSeg",
    "davis2016": "DAVIS 2016",
    "davis2017": "DAVIS 2017, semi-supervised",
    "youtube_vos": "YouTube-VOS, local surrogate",
}


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    modes = parser.add_subparsers(dest="mode", metavar="MODE", required=True)
    for name, title in {**PANOPTIC, **OBJECTS}.items():
        mode = modes.add_parser(name, help=title, description=title)
        mode.add_argument("--gt", metavar="DIR", required=True, help="ground truth")
        mode.add_argument("--pred", metavar="DIR", required=True, help="predictions")
        if name != "youtube_vos":
            _add_rule_option(mode)
        if name in PANOPTIC:
            _add_panoptic_options(mode, name)
        else:
            _add_object_options(mode, name)
        _add_run_options(mode)
    return parser


def _add_panoptic_options(mode: argparse.ArgumentParser, name: str) -> None:
    mode.add_argument("--gt-json", metavar="FILE", help="its JSON (DIR/panoptic.json)")
    mode.add_argument("--pred-json", metavar="FILE", help="their JSON (DIR/pred.json)")
    if name != "stq":
        mode.add_argument("--metrics", metavar="A,B", help="of vpq, stq, pq, miou")
    if name not in ("panoptic", "stq"):
        mode.add_argument("--windows", metavar="K,K", help="of VPQ, in labelled frames")
    if name != "panoptic":
        mode.add_argument("--stq-rules", choices=("vipseg", "deeplab2"), default="vipseg")
    mode.add_argument(
        "--pair",
        choices=("auto", "position", "id"),
        default="auto",
        help="how predictions find their frames (auto: as the official program)",
    )
    mode.add_argument(
        "--video-of",
        choices=("first4", "prefix", "image"),
        help="the video of an image in a flat JSON: its first four characters, or those before _",
    )
    mode.add_argument(
        "--lenient",
        action="store_true",
        help="score a ground truth whose JSON and PNG disagree as the official program does",
    )


def _add_rule_option(mode: argparse.ArgumentParser) -> None:
    mode.add_argument(
        "--rule",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a rule other than the official one, see docs/metrics.md; may be repeated",
    )


def _add_object_options(mode: argparse.ArgumentParser, name: str) -> None:
    if name.startswith("davis"):
        mode.add_argument("--split", default="val", help="list of sequences in ImageSets (val)")
        mode.add_argument("--resolution", default="480p", help="folder in Annotations (480p)")
    if name == "youtube_vos":
        mode.add_argument(
            "--train-meta",
            metavar="FILE",
            help="meta.json of the training set: its classes are seen",
        )


def _add_run_options(mode: argparse.ArgumentParser) -> None:
    mode.add_argument("--workers", metavar="N", type=int, default=1, help="processes (1)")
    mode.add_argument("--output", metavar="DIR", help="write scores.json, scores.txt, CSV there")
    mode.add_argument(
        "--resume",
        action="store_true",
        help="take videos that DIR/state holds from there, unless their files changed",
    )
    mode.add_argument("--per-class", action="store_true", help="print a row per class")
    mode.add_argument("--per-video", action="store_true", help="print a row per video")
    mode.add_argument(
        "--allow-extra",
        action="store_true",
        help="ignore predictions of videos and frames that the ground truth lacks",
    )
    mode.add_argument(
        "--skip-broken",
        action="store_true",
        help="leave out, and list, videos that cannot be scored",
    )
    mode.add_argument("--quiet", action="store_true", help="no progress bar")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Returns:
        The exit status: 0, 2 after bad input (said on stderr), 130 after an interrupt.
    """
    args = build_parser().parse_args(argv)
    kept = "the same command with --resume goes on from there" if args.output else "nothing is kept"
    return exit_status(run, args, interrupted=f"interrupted; {kept}")


def run(args: argparse.Namespace) -> None:
    """Do the work."""
    # Late, so that --help is quick.
    from vps.evaluation.official.report import as_text, write_report

    if args.resume and not args.output:
        raise InputError("expected --output with --resume: the finished videos are kept there")
    with ProgressBar(show=not args.quiet) as bar:
        evaluation = evaluate(args, bar)
    print(as_text(evaluation, per_class=args.per_class, per_video=args.per_video))
    if args.output:
        paths = write_report(evaluation, args.output)
        print(f"\n{args.output}: {', '.join(path.name for path in paths)}")


def evaluate(args: argparse.Namespace, bar: ProgressBar) -> Any:
    """Score as the arguments say."""
    from vps.evaluation.official import RunOptions, evaluate_objects, evaluate_panoptic

    options = RunOptions(
        workers=args.workers,
        skip_broken=args.skip_broken,
        state=Path(args.output) / "state" if args.output else None,
        resume=args.resume,
        start=bar.start,
        progress=bar.step,
    )
    if args.mode in OBJECTS:
        return evaluate_objects(args.mode, args.gt, args.pred, run=options, **object_options(args))
    return evaluate_panoptic(
        gt=args.gt,
        pred=args.pred,
        gt_json=args.gt_json,
        pred_json=args.pred_json,
        pair=args.pair,
        video_of=args.video_of,
        allow_extra=args.allow_extra,
        lenient=args.lenient,
        run=options,
        **panoptic_options(args),
    )


def panoptic_options(args: argparse.Namespace) -> dict[str, Any]:
    """Mode, metrics, windows and rules."""
    from vps.evaluation.official import PANOPTIC_MODES
    from vps.evaluation.official.rule_options import change_rules, split_rules
    from vps.metrics.stq import STQ_RULES

    own, stq = split_rules(args.rule)
    mode = PANOPTIC_MODES[args.mode]
    metrics, windows = getattr(args, "metrics", None), getattr(args, "windows", None)
    stq_rules = STQ_RULES[getattr(args, "stq_rules", "vipseg")]
    return {
        "mode": replace(mode, rules=change_rules(mode.rules, own)),
        "metrics": metrics.split(",") if metrics else None,
        "windows": parse_windows(windows) if windows else None,
        "stq_rules": change_rules(stq_rules, stq),
    }


def object_options(args: argparse.Namespace) -> dict[str, Any]:
    """Split, resolution, classes and rules, as far as the mode has them."""
    from vps.evaluation.official.rule_options import change_rules
    from vps.metrics import DAVIS_2016_RULES, DAVIS_2017_RULES, VIPOSegRules

    names = ("split", "resolution", "train_meta", "allow_extra")
    options = {name: getattr(args, name) for name in names if name in args}
    official = {
        "viposeg": VIPOSegRules(),
        "davis2016": DAVIS_2016_RULES,
        "davis2017": DAVIS_2017_RULES,
    }
    if args.mode in official:
        options["rules"] = change_rules(official[args.mode], args.rule)
    return options


def parse_windows(text: str) -> tuple[int, ...]:
    """``1,2,4,6`` as numbers."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise InputError(f"expected --windows such as 1,2,4,6, got {text!r}") from None


class ProgressBar:
    """Frames that are scored, of all; videos that cannot be scored are told as they are met."""

    def __init__(self, *, show: bool) -> None:
        self.show = show
        self.bar: Any = None

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def start(self, tasks: Sequence[Any]) -> None:
        from tqdm import tqdm

        tqdm.monitor_interval = 0  # no thread, which forked processes would inherit
        total = sum(len(task) for task in tasks)
        self.bar = tqdm(total=total, unit="frame", disable=not self.show)

    def step(self, outcome: Any) -> None:
        self.bar.update(outcome.num_frames)


if __name__ == "__main__":
    sys.exit(main())
