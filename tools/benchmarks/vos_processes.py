"""What each process of ``benchmark.py vos`` does: one engine, one scene, one measurement.

On a CPU time is processor time (user and system) of the calling process, which has one thread, and
the peak is the highest resident memory of the process above what it held when the network stood
ready (so without Python, torch and the weights). On a GPU time is the clock's between two
synchronisations, and the peak is torch's own count of what it allocated, likewise.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.dense_propagation import DenseEngine
from benchmarks.measure import memory
from benchmarks.vos_arithmetic import count_arithmetic
from vps.modeling.vos.network import VOSNetwork
from vps.modeling.vos.propagator import PropagationRules, Propagator, positions_of
from vps.modeling.vos.resolution import normalize, resize_image
from vps.modeling.vos.slots import SlotTable, layout_of
from vps.modeling.vos.variants import network_settings
from vps.modeling.vos.video_state import VideoState
from vps.structures import PanopticFrame, Segment

LENGTH_CAP, LENGTH_GAP, LENGTH_OBJECTS = 8, 2, 12


class Case(NamedTuple):
    """What is measured.

    Attributes:
        variant: of the networks' table.
        size: (H, W) of the frames and of the network's input.
        objects: masks given in the first frame.
        stored: frames in long-term memory.
        device: of torch.
        repeat: calls, of which the fastest counts.
        seed: of the weights and the frames.
        changes: settings of the variant that are others here (tests take small networks).
    """

    variant: str
    size: tuple[int, int]
    objects: int
    stored: int
    device: str = "cpu"
    repeat: int = 1
    seed: int = 0
    changes: dict[str, Any] | None = None


class Meter:
    """Time and memory on one device; the memory above what is held now."""

    def __init__(self, device: str):
        self.device = torch.device(device)
        self.cuda = self.device.type == "cuda"
        if self.cuda:
            torch.cuda.reset_peak_memory_stats(self.device)
        held = torch.cuda.memory_allocated
        self.before = held(self.device) / 1e6 if self.cuda else memory()["now"]

    def peak(self) -> float:
        """MB."""
        most = torch.cuda.max_memory_allocated
        now = most(self.device) / 1e6 if self.cuda else memory()["peak"]
        return now - self.before

    def seconds(self, function: Callable[[], Any]) -> dict[str, float]:
        """Of one call: ``seconds``, and on a CPU how many of them the system took, for instance to
        hand out memory.
        """
        if self.cuda:
            torch.cuda.synchronize(self.device)
            begin = time.perf_counter()
            function()
            torch.cuda.synchronize(self.device)
            return {"seconds": time.perf_counter() - begin}
        system, begin = os.times().system, time.process_time()
        function()
        return {
            "seconds": time.process_time() - begin,
            "of it in the system": os.times().system - system,
        }


def measure_engine(case: Case, path: Path | None = None) -> dict[str, Any]:
    """One frame of the engine with its memory filled.

    Args:
        case: what to measure.
        path: where the logits go, to be compared. Then the rate of a matrix product is measured
            too, beside what it is to be compared with.
    """
    engine = build_engine(case)
    meter = Meter(case.device)
    with torch.inference_mode():
        images, state = list(draw_frames(case.size, 2, case.seed)), engine.begin()
        given = draw_masks(case.size, case.objects)
        first = engine.predict(state, images[0])
        ids = torch.from_numpy(given.ids).to(case.device)
        engine.commit(state, first, ids, given=given)
        del first  # the features of a frame that is over
        _fill(engine, state, case.stored)
        short, kept = state.previous, {}

        def step() -> None:
            state.previous = short
            prediction = engine.predict(state, images[1])
            kept["logits"] = prediction.propagated.logits
            engine.commit(state, prediction, engine.ids(state, prediction))

        with count_arithmetic(engine.network) as operations:
            found = _repeat(meter, step, case.repeat)
    found["GFLOP"] = {part: count / case.repeat / 1e9 for part, count in operations.items()}
    if path is not None:
        torch.save(kept["logits"].cpu(), path)
        found["matrix product GFLOP/s"] = matrix_product_rate(case.device)
    return found


def measure_dense(case: Case, path: Path) -> dict[str, Any]:
    """The same frame of the reference, in the same state."""
    dense = DenseEngine(build_engine(case).network)
    meter = Meter(case.device)
    with torch.inference_mode():
        images = draw_frames(case.size, 2, case.seed)
        pixels = [normalize(resize_image(image, case.size, case.device)) for image in images]
        given = draw_masks(case.size, case.objects)
        table = SlotTable(dense.network.settings)
        for object_id, segment in given.segments.items():
            table.add(object_id, segment.isthing)
        layout = layout_of(table.groups, dense.network.channels, torch.device(case.device))
        ids = torch.from_numpy(given.ids).to(case.device)
        dense.begin(pixels[0], positions_of(ids, layout), layout)
        for row, entries in enumerate(list(dense.long)):
            for _ in range(case.stored - 1):
                dense.store(row, entries)
        short, kept = list(dense.short), {}

        def step() -> None:
            dense.short = list(short)
            kept["logits"] = dense.step(pixels[1], layout)

        found = _repeat(meter, step, case.repeat)
        torch.save(kept["logits"].cpu(), path)
    return found


def measure_length(case: Case, length: int) -> float:
    """Peak memory in MB over a video of ``length`` frames, of which some at most are stored."""
    engine = build_engine(case, memory_gap=LENGTH_GAP, memory_cap=case.stored)
    meter = Meter(case.device)
    with torch.inference_mode():
        state, given = engine.begin(), draw_masks(case.size, case.objects)
        for index, image in enumerate(draw_frames(case.size, length, case.seed)):
            prediction = engine.predict(state, image)
            masks = given if index == 0 else None
            ids = engine.ids(state, prediction)
            if masks is not None:
                ids = torch.from_numpy(masks.ids).to(case.device)
            engine.commit(state, prediction, ids, given=masks)
    return meter.peak()


def matrix_product_rate(device: str, side: int = 2048) -> float:
    """GFLOP/s of a product of two square matrices of float32, the best of five."""
    left, right = torch.randn(2, side, side, device=device)
    meter = Meter(device)
    with torch.inference_mode():
        seconds = [meter.seconds(lambda: left @ right)["seconds"] for _ in range(5)]
    return 2 * side**3 / min(seconds) / 1e9


def build_engine(case: Case, **rules: int) -> Propagator:
    """An engine with random weights."""
    torch.manual_seed(case.seed)
    settings = network_settings(case.variant, case.changes)
    rules = {"memory_gap": 0, "merge": settings.merge, "max_long_side": 0, **rules}
    network = VOSNetwork(settings).eval().to(case.device)
    return Propagator(network, PropagationRules(**rules))


def draw_frames(size: tuple[int, int], count: int, seed: int) -> Iterator[np.ndarray]:
    """Coloured noise, uint8 (H, W, 3)."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        yield generator.integers(0, 256, (*size, 3), dtype=np.uint8)


def draw_masks(size: tuple[int, int], objects: int) -> PanopticFrame:
    """Rectangles side by side; every other object is a thing."""
    ids = np.zeros(size, np.int32)
    columns = int(np.ceil(objects**0.5))
    height, width = size[0] // columns, size[1] // columns
    for index in range(objects):
        y, x = index // columns * height, index % columns * width
        ids[y + 1 : y + height - 1, x + 1 : x + width - 1] = index + 1
    segments = {index + 1: Segment(0, bool(index % 2)) for index in range(objects)}
    return PanopticFrame("masks", ids, segments)


def _repeat(meter: Meter, step: Callable[[], None], repeat: int) -> dict[str, float]:
    calls = [meter.seconds(step) for _ in range(repeat)]
    return {**min(calls, key=lambda call: call["seconds"]), "peak MB": meter.peak()}


def _fill(engine: Propagator, state: VideoState, stored: int) -> None:
    """Store the reference frame again and again, as if other frames had been like it."""
    network = engine.network
    extra = 1 if network.align_corners else 0
    sizes: list[tuple[int, int]] = []  # of each layer's tokens
    for layers, stride in zip(network.settings.layers, network.matching.strides, strict=True):
        sizes += layers * [tuple((side - extra) // stride + extra for side in state.size)]
    for _ in range(stored - 1):
        state.frame += 1
        state.store(network.keep(state.previous, sizes), reference=False)
