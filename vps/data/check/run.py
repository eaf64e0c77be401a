"""``check_dataset``: all problems of a data set, over several processes, in bounded memory."""

from __future__ import annotations

import signal
import sys
import threading
from collections import deque
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple

from vps.data.catalog import dataset_categories, load_dataset
from vps.data.check.find_source import find_source
from vps.data.check.plan import VideoPlan
from vps.data.check.problems import Problem, Severity
from vps.data.check.records import RecordSource
from vps.data.check.sources import Source
from vps.data.check.video import check_video
from vps.structures import InputError

# Videos that wait for a process, for each process: enough that none is ever idle.
_AHEAD = 2


class Progress:
    """What a check tells as it goes; override what is of interest."""

    def start(self, num_frames: int | None) -> None:
        """So many frames are to be checked (None: nobody knows); may be called again for more."""

    def step(self, video_id: str, num_frames: int) -> None:
        """So many frames of a video were checked."""


def check_dataset(
    name: str, *, workers: int = 1, progress: Progress | None = None
) -> Iterator[Problem]:
    """Read all that a training on a registered data set would read, and tell what is wrong.

    Every picture and label PNG is decoded and compared with the index. Nothing is changed. Memory
    depends on the length of the longest video and on the list of file names, not on pixels.

    Args:
        name: of the data set.
        workers: number of processes; 1 works in this one.
        progress: is told how far it is.

    Yields:
        The problems, video by video, in the order of the index.

    Raises:
        InputError: no data set has this name, or ``workers`` is less than 1.
    """
    worst = Severity.NOTE
    source = _Remembering(find_source(name))
    for problem in check_source(source, workers=workers, progress=progress):
        worst = max(worst, problem.severity)
        yield problem
    records = RecordSource(name, partial(load_dataset, name), dataset_categories(name))
    rest = _Remaining(records, source.pictures)
    for problem in check_source(rest, workers=workers, progress=progress):
        # After other errors it is one of those that the loader refuses.
        if problem.kind != "loader-refuses" or worst < Severity.ERROR:
            yield problem


def check_source(
    source: Source, *, workers: int = 1, progress: Progress | None = None
) -> Iterator[Problem]:
    """As ``check_dataset``, of data that has no name."""
    if workers < 1:
        raise InputError(f"expected 1 process or more, got {workers}")
    progress = progress or Progress()
    if workers == 1:
        for item in _announced(source, progress):
            if isinstance(item, Problem):
                yield item
            else:
                yield from check_video(item)
                progress.step(item.video_id, len(item.frames))
        return
    with _pool(workers) as pool:
        # Problems of the index wait for the videos before them: the order is that of one process.
        waiting: deque[Problem | _Job] = deque()
        busy = 0
        try:
            for item in _announced(source, progress):
                if isinstance(item, VideoPlan):
                    busy += 1
                    waiting.append(_Job(item, pool.submit(check_video, item)))
                else:
                    waiting.append(item)
                while busy > _AHEAD * workers or (waiting and busy == 0):
                    first = waiting.popleft()
                    busy -= isinstance(first, _Job)
                    yield from _finish(first, progress)
            for item in waiting:
                yield from _finish(item, progress)
        finally:
            pool.shutdown(cancel_futures=True)


class _Job(NamedTuple):
    """A video that a process is checking."""

    plan: VideoPlan
    problems: Future[list[Problem]]


def _announced(source: Source, progress: Progress) -> Iterator[Problem | VideoPlan]:
    announced = False
    for item in source.read():
        if not announced and isinstance(item, VideoPlan):
            announced = True
            progress.start(source.num_frames)
        yield item


def _finish(item: Problem | _Job, progress: Progress) -> Iterator[Problem]:
    if isinstance(item, Problem):
        yield item
        return
    yield from item.problems.result()
    progress.step(item.plan.video_id, len(item.plan.frames))


class _Remembering(Source):
    """A source that remembers which pictures it has planned."""

    def __init__(self, source: Source) -> None:
        self.pictures: set[str] = set()
        self._source = source

    def read(self) -> Iterator[Problem | VideoPlan]:
        for item in self._source.read():
            self.num_frames = self._source.num_frames
            if isinstance(item, VideoPlan):
                self.pictures.update(frame.picture for frame in item.frames if frame.picture)
            yield item


class _Remaining(Source):
    """What the loader of a data set reads beside the pictures that were planned: frames between
    the labelled ones, and whatever it alone refuses. A check must not pass what it refuses.
    """

    def __init__(self, records: RecordSource, planned: Collection[str]) -> None:
        self._records, self._planned = records, planned

    def read(self) -> Iterator[Problem | VideoPlan]:
        for item in self._records.read():
            if isinstance(item, Problem):
                yield item
                continue
            frames = [f for f in item.frames if f.picture not in self._planned]
            if frames:
                # Labels and tables were checked with the planned frames.
                frames = [replace(f, label=None, segments=None, reference=None) for f in frames]
                yield replace(item, frames=tuple(frames), given=False, labelled=False)


def _pool(workers: int) -> ProcessPoolExecutor:
    # Forked processes start at once; but only a program without threads may fork.
    alone = threading.active_count() == 1
    method = "fork" if sys.platform == "linux" and alone else "spawn"
    return ProcessPoolExecutor(
        workers, get_context(method), initializer=_leave_ctrl_c_to_the_parent
    )


def _leave_ctrl_c_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
