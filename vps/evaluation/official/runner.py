"""Score many videos, one task each, in any number of processes, with the same digits.

A worker holds two frames at a time and gives back the state of the metrics after one video (some
kilobytes). The states are merged in the order of the tasks, whichever worker was first, and tasks
are handed out a few at a time, so memory depends neither on the size of the set nor on the workers'
pace. Everything that travels can be pickled, so processes may be started in any way.

When the work ends early, by an error or by Ctrl-C, the workers are told to give up the video at
hand, which leaves nothing half-written.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from vps.structures import InputError

StartMethod = Literal["auto", "fork", "forkserver", "spawn"]

_AHEAD = 3  # tasks per worker that are handed out and not merged yet


class Task(Protocol):
    """A video to score; ``problem`` says why it cannot be, where that is known beforehand."""

    video_id: str
    problem: str | None

    def __len__(self) -> int: ...


@dataclass
class Outcome:
    """What came of one video.

    Attributes:
        video_id: name of the video.
        num_frames: its frames.
        metrics: {name: a metric that has seen this video alone}.
        gt_digest, pred_digest: SHA-256 of what was read.
        remarks: sentences on what does not change a score.
        problem: why there is no score; then there are no metrics.
        reused: taken from the state of an earlier run, without reading a picture.
    """

    video_id: str
    num_frames: int
    metrics: dict[str, Any] = field(default_factory=dict)
    gt_digest: str = ""
    pred_digest: str = ""
    remarks: tuple[str, ...] = ()
    problem: str | None = None
    reused: bool = False


class Scorer(Protocol):
    """Scores a task; what it raises as InputError becomes the outcome's problem."""

    def __call__(self, task: Any) -> Outcome: ...

    def prepare(self, task: Any) -> None:
        """Load beforehand what scoring tasks like this one needs, so that forked workers have it
        (compiled kernels take longer to load than a short video takes to score).
        """


def run_tasks(
    tasks: Sequence[Task],
    scorer: Scorer,
    *,
    workers: int = 1,
    start_method: StartMethod = "auto",
    progress: Callable[[Outcome], None] = lambda outcome: None,
) -> Iterator[Outcome]:
    """Score the tasks and give their outcomes in the order of the tasks.

    Args:
        tasks: the videos.
        scorer: scores one; must be picklable for more than one worker.
        workers: number of processes; 1 works in this one.
        start_method: how they start. "auto" forks, which takes no time, where that is safe, and
            else takes the fastest of the others that the system has.
        progress: called as videos finish, in the order in which they do.

    Raises:
        InputError: ``workers`` is below 1, or a worker died.
    """
    if workers < 1:
        raise InputError(f"expected 1 or more workers, got {workers}")
    if workers > 1 and len(tasks) > 1:
        workers = min(workers, len(tasks))
        method = choose_start_method() if start_method == "auto" else start_method
        if method == "fork":
            scorer.prepare(tasks[0])
        yield from _run_in_processes(tasks, scorer, workers, method, progress)
        return
    for task in tasks:
        outcome = _score(scorer, task)
        progress(outcome)
        yield outcome


def choose_start_method() -> StartMethod:
    """Fork in a program without threads; threads and forked processes do not go together."""
    if sys.platform == "linux" and threading.active_count() == 1:
        return "fork"
    return "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"


def _run_in_processes(
    tasks: Iterable[Task],
    scorer: Scorer,
    workers: int,
    start_method: StartMethod,
    progress: Callable[[Outcome], None],
) -> Iterator[Outcome]:
    waiting = iter(enumerate(tasks))
    running: dict[Future, int] = {}
    done: dict[int, Outcome] = {}
    following = 0
    context = multiprocessing.get_context(start_method)
    if start_method == "forkserver":
        context.set_forkserver_preload([type(scorer).__module__])
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, context, _start_worker, (scorer,))
    try:
        while True:
            while len(running) + len(done) < _AHEAD * workers:
                index, task = next(waiting, (-1, None))
                if task is None:
                    break
                running[pool.submit(_score_in_worker, task)] = index
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                index = running.pop(future)
                done[index] = future.result()
                progress(done[index])
            while following in done:
                yield done.pop(following)
                following += 1
    except BrokenProcessPool as error:
        raise InputError(
            "a worker process died without a word (killed for its memory?); use fewer --workers, "
            "and --resume to keep what is done"
        ) from error
    except BaseException:  # Ctrl-C, or nobody asks for more outcomes
        for worker in set(multiprocessing.active_children()) - others:
            worker.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


# --- in a worker process --------------------------------------------------------------------------

_scorer: Scorer | None = None
_busy = _told_to_stop = False


class _Stopped(BaseException):
    """The worker was told to stop; not an Exception, so that nothing takes it for a bad file."""


def _start_worker(scorer: Scorer) -> None:
    global _scorer
    _scorer = scorer
    # Ctrl-C reaches all processes of a terminal; the one that started this one answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)


def _stop(*_: Any) -> None:
    """Give up the task at hand, and begin no other; the pool ends an idle worker itself."""
    global _told_to_stop
    _told_to_stop = True
    if _busy:
        raise _Stopped


def _score_in_worker(task: Task) -> Outcome:
    global _busy
    assert _scorer is not None
    if _told_to_stop:
        raise _Stopped
    _busy = True
    try:
        return _score(_scorer, task)
    finally:
        _busy = False


def _score(scorer: Scorer, task: Task) -> Outcome:
    if task.problem is not None:
        return Outcome(task.video_id, len(task), problem=task.problem)
    try:
        return scorer(task)
    except InputError as error:
        return Outcome(task.video_id, len(task), problem=str(error))
