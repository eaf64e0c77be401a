"""Time and memory that a head takes per frame, by the number of objects that are followed."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

Item = TypeVar("Item")

# Numbers of objects that are shown together (VIPOSeg has up to 79 in a video).
BINS = ((1, 5), (6, 10), (11, 20), (21, 40), (41, None))


def bin_name(objects: int) -> str:
    """The bin that a number of objects falls in: "6-10", "41+"; "0" for none."""
    for first, last in BINS:
        if objects >= first and (last is None or objects <= last):
            return f"{first}+" if last is None else f"{first}-{last}"
    return "0"


def bin_names() -> list[str]:
    """All bins, in order."""
    return ["0", *(bin_name(first) for first, _ in BINS)]


@dataclass
class Clock:
    """Time that passes inside of some calls, to be left out of the time around them."""

    seconds: float = 0.0

    def iterate(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, with the time of making them on this clock."""
        iterator = iter(items)
        while True:
            with self.running():
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def call(self, function: Callable[..., Item]) -> Callable[..., Item]:
        """The function, with the time of its calls on this clock."""

        def timed(*arguments: object) -> Item:
            with self.running():
                return function(*arguments)

        return timed

    @contextlib.contextmanager
    def watch(self, module: nn.Module | None) -> Iterator[None]:
        """The time of a module's forward passes on this clock, as long as the block lasts."""
        if module is None:
            yield
            return
        begun: list[float] = []

        def begin(*_: object) -> None:
            _wait_for_gpu(module)
            begun.append(time.perf_counter())

        def end(*_: object) -> None:
            _wait_for_gpu(module)
            self.seconds += time.perf_counter() - begun.pop()

        handles = module.register_forward_pre_hook(begin), module.register_forward_hook(end)
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - begin


def _wait_for_gpu(module: nn.Module) -> None:
    parameter = next(module.parameters(), None)
    if parameter is not None and parameter.device.type == "cuda":
        torch.cuda.synchronize(parameter.device)


class PeakMemory:
    """The most memory in use since ``restart()``, in bytes: the GPU's where the head runs on one,
    else the resident memory of this process. None where the system does not tell.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._device = torch.device(device)
        self._reset = Path("/proc/self/clear_refs")
        self._status = Path("/proc/self/status")

    def restart(self) -> None:
        """Forget what was used before."""
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
            return
        with contextlib.suppress(OSError):  # not every kernel and container lets us
            self._reset.write_text("5")

    def read(self) -> int | None:
        """Bytes."""
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        if not sys.platform.startswith("linux") or not self._status.is_file():
            return None
        for line in self._status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return None


@dataclass
class CostByObjects:
    """Costs of frames, added up per bin.

    Attributes:
        frames, seconds: {bin: sum}; backbone: {bin: sum of the part of the seconds that the
            backbone took}; peak: {bin: most bytes}.
        scoring: seconds that scoring all frames took, beside all that.
    """

    frames: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    backbone: dict[str, float] = field(default_factory=dict)
    peak: dict[str, int] = field(default_factory=dict)
    scoring: float = 0.0

    def add(self, objects: int, seconds: float, peak: int | None, *, backbone: float = 0.0) -> None:
        """One frame, in which so many objects are followed."""
        name = bin_name(objects)
        self.frames[name] = self.frames.get(name, 0) + 1
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
        self.backbone[name] = self.backbone.get(name, 0.0) + backbone
        if peak is not None:
            self.peak[name] = max(peak, self.peak.get(name, 0))

    def per_frame(self) -> tuple[float, float, float]:
        """Milliseconds of the whole head, of its backbone, and of scoring; NaN without frames."""
        frames = sum(self.frames.values())
        if not frames:
            return math.nan, math.nan, math.nan
        sums = sum(self.seconds.values()), sum(self.backbone.values()), self.scoring
        return tuple(1000 * seconds / frames for seconds in sums)

    @property
    def most_memory(self) -> int | None:
        """Bytes at the most expensive frame."""
        return max(self.peak.values(), default=None)

    def as_dict(self) -> dict[str, dict[str, float | int | None]]:
        """{bin: frames, ms per frame, of them the backbone's, MB}, of bins that have frames."""
        return {
            name: {
                "frames": self.frames[name],
                "ms_per_frame": 1000 * self.seconds[name] / self.frames[name],
                "backbone_ms": 1000 * self.backbone[name] / self.frames[name],
                "peak_mb": self.peak[name] / 1e6 if name in self.peak else None,
            }
            for name in bin_names()
            if name in self.frames
        }
