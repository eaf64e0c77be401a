"""Writers of events: a JSON line, a log line with the ETA, tensorboard.

Each reads the storage that is open when ``write()`` is called. ``metrics.json`` has one JSON
object per line and iteration, with sorted keys and ``iteration`` among them; a resumed run appends
to it.
"""

from __future__ import annotations

import datetime
import json
import logging
import os
import time
from collections import defaultdict

import torch

from .events import EventStorage, get_event_storage
from .file_io import PathManager

__all__ = ["CommonMetricPrinter", "EventWriter", "JSONWriter", "TensorboardXWriter"]


class EventWriter:
    """Something that takes events from the open storage."""

    def write(self) -> None:
        """Take what is new."""
        raise NotImplementedError

    def close(self) -> None:
        """Finish; nothing is written afterwards."""


class JSONWriter(EventWriter):
    """Appends the newest scalars, smoothed over ``window_size`` iterations, to a file of JSON
    lines.
    """

    def __init__(self, json_file: str, window_size: int = 20) -> None:
        self._file = PathManager.open(json_file, "a")
        self._window_size = window_size
        self._last_write = -1

    def write(self) -> None:
        latest = get_event_storage().latest_with_smoothing_hint(self._window_size)
        rows: dict[int, dict] = defaultdict(dict)
        for name, (value, iteration) in latest.items():
            if iteration > self._last_write:
                rows[iteration][name] = value
        for iteration, row in rows.items():
            self._file.write(json.dumps({**row, "iteration": iteration}, sort_keys=True) + "\n")
        self._last_write = max(rows, default=self._last_write)
        self._file.flush()
        if hasattr(self._file, "fileno"):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class TensorboardXWriter(EventWriter):
    """Writes scalars and pictures for tensorboard, which is imported at the first write only."""

    def __init__(self, log_dir: str, window_size: int = 20, **kwargs) -> None:
        """
        Args:
            log_dir: folder of the event files.
            window_size: scalars are medians over this many iterations.
            kwargs: further arguments of ``torch.utils.tensorboard.SummaryWriter``.
        """
        self._arguments = {"log_dir": log_dir, **kwargs}
        self._window_size = window_size
        self._last_write = -1
        self._writer = None

    def write(self) -> None:
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(**self._arguments)
        storage = get_event_storage()
        newest = self._last_write
        for name, (value, iteration) in storage.latest_with_smoothing_hint(
            self._window_size
        ).items():
            if iteration > self._last_write:
                self._writer.add_scalar(name, value, iteration)
                newest = max(newest, iteration)
        self._last_write = newest
        for name, picture, iteration in storage._vis_data:
            self._writer.add_image(name, picture, iteration)
        storage.clear_images()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class CommonMetricPrinter(EventWriter):
    """Logs one line: ETA, iteration, losses, times, learning rate, GPU memory.

    Shown are scalars with ``loss`` in their name, and those with ``[metric]``; losses as medians
    over ``window_size`` iterations.
    """

    def __init__(self, max_iter: int | None = None, window_size: int = 20) -> None:
        """
        Args:
            max_iter: iterations of the whole training; None means that no ETA is shown.
            window_size: iterations to smooth over.
        """
        self.logger = logging.getLogger("detectron2.utils.events")
        self._max_iter = max_iter
        self._window_size = window_size
        self._last_write: tuple[int, float] | None = None  # (iteration, clock), for the ETA

    def write(self) -> None:
        storage = get_event_storage()
        if storage.iter == self._max_iter:
            return  # called once more after training; its progress was already told

        def medians(mark: str) -> str:
            return "  ".join(
                f"{name}: {history.median(storage.count_samples(name, self._window_size)):.4g}"
                for name, history in storage.histories().items()
                if mark in name
            )

        histories = storage.histories()
        times = ""
        if "time" in histories:
            history = storage.history("time")
            times += f"time: {history.global_avg():.4f}  last_time: {history.latest():.4f}  "
        if "data_time" in histories:
            history = storage.history("data_time")
            mean = history.avg(storage.count_samples("data_time", self._window_size))
            times += f"data_time: {mean:.4f}  last_data_time: {history.latest():.4f}  "
        rate = f"{storage.history('lr').latest():.5g}" if "lr" in histories else "N/A"
        memory = ""
        if torch.cuda.is_available():
            memory = f"max_mem: {torch.cuda.max_memory_allocated() / 2**20:.0f}M"
        eta = self._eta(storage)
        self.logger.info(
            f" {f'eta: {eta}  ' if eta else ''}iter: {storage.iter}  {medians('loss')}  "
            f"{medians('[metric]')}  {times} lr: {rate}  {memory}"
        )

    def _eta(self, storage: EventStorage) -> str:
        if self._max_iter is None:
            return ""
        left = self._max_iter - storage.iter - 1
        if "time" in storage.histories():
            seconds = storage.history("time").median(1000) * left
            storage.put_scalar("eta_seconds", seconds, smoothing_hint=False)
            return str(datetime.timedelta(seconds=int(seconds)))
        # No timer yet (the first iterations are not timed): estimate from the clock between two
        # calls.
        now, eta = time.perf_counter(), ""
        if self._last_write is not None and storage.iter > self._last_write[0]:
            pace = (now - self._last_write[1]) / (storage.iter - self._last_write[0])
            eta = str(datetime.timedelta(seconds=int(pace * left)))
        self._last_write = (storage.iter, now)
        return eta
