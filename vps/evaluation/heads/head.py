"""A head: a model that takes part in a comparison, and its run over a video.

What it predicts goes to disk frame by frame, as results in this project's own layout, so that it
can be scored several times, against assignments that are known only at the end of a video too,
without holding a video's pixels.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn

from vps.evaluation.heads.cost import Clock, CostByObjects, PeakMemory
from vps.evaluation.predicted_frames import check_predictions
from vps.io import record_references
from vps.io.results import ResultWriter
from vps.io.streams import open_stream
from vps.structures import Category, VideoRecord


@dataclass
class Head:
    """One side of a comparison.

    Attributes:
        name: in tables and as a folder.
        kind: "vps": segments raw video and names its segments itself; "vos": follows the masks that
            the ground truth gives, under their ids and classes.
        model: has ``segment_video(frames, *, references)``.
        categories: that its segments speak of.
        device: where it runs.
        backbone: the part of the model whose time is told apart; None: no part is.
        trained_on: names of data sets.
        description: for the report, say the files it was made from.
        cost: what its run has taken so far.
    """

    name: str
    kind: Literal["vps", "vos"]
    model: Any
    categories: Sequence[Category]
    device: str = "cpu"
    backbone: nn.Module | None = None
    trained_on: Sequence[str] = ()
    description: dict[str, str] = field(default_factory=dict)
    cost: CostByObjects = field(default_factory=CostByObjects)


def run_head(
    head: Head, record: VideoRecord, writer: ResultWriter, followed: Sequence[int]
) -> None:
    """Let a head segment a video, and write and measure what it does.

    The time of a frame is that of the model alone: decoding the picture, reading references and
    writing results are left out. Models that look ahead take the time of several frames at once;
    over many frames that evens out.

    Args:
        followed: number of objects that are given up to each frame of the video, that one too.
    """
    clock, backbone, memory = Clock(), Clock(), PeakMemory(head.device)
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(open_stream(record))
        results = stack.enter_context(writer.video(record["video_id"]))
        stack.enter_context(backbone.watch(head.backbone))
        keywords = {}
        if head.kind == "vos":
            keywords["references"] = clock.call(record_references(record))
        frames = head.model.segment_video(clock.iterate(stream), **keywords)
        if hasattr(frames, "close"):
            stack.callback(frames.close)
        predictions = check_predictions(record, frames)
        while True:
            memory.restart()
            begin, outside, inside = time.perf_counter(), clock.seconds, backbone.seconds
            with torch.inference_mode():
                item = next(predictions, None)
            if item is None:
                return
            seconds = time.perf_counter() - begin - (clock.seconds - outside)
            index, prediction = item
            inside = backbone.seconds - inside
            head.cost.add(followed[index], seconds, memory.read(), backbone=inside)
            results.write(prediction)
            del item, prediction
