"""Score many videos, one task each, in any number of processes, with the same digits.

A worker holds two frames at a time and gives back the state of the metrics after one video (some
kilobytes). The states are merged in the order of the tasks, whichever worker was first, and tasks
are handed out a few at a time, so memory depends neither on the size of the set nor on the workers'
pace. Everything that travels can be pickled, so processes may be spawned (the default, safe beside
threads) or forked (starts in no time; only for a program without threads).
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from vps.structures import InputError

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


Scorer = Callable[[Any], Outcome]


def run_tasks(
    tasks: Sequence[Task],
    scorer: Scorer,
    *,
    workers: int = 1,
    start_method: Literal["spawn", "fork"] = "spawn",
    progress: Callable[[Outcome], None] = lambda outcome: None,
) -> Iterator[Outcome]:
    """Score the tasks and give their outcomes in the order of the tasks.

    Args:
        tasks: the videos.
        scorer: scores one; must be picklable for more than one worker. What it raises as InputError
            becomes the outcome's problem.
        workers: number of processes; 1 works in this one.
        start_method: how they start.
        progress: called as videos finish, in the order in which they do.

    Raises:
        InputError: ``workers`` is below 1, or a worker died.
    """
    if workers < 1:
        raise InputError(f"expected 1 or more workers, got {workers}")
    if workers > 1 and len(tasks) > 1:
        workers = min(workers, len(tasks))
        yield from _run_in_processes(tasks, scorer, workers, start_method, progress)
        return
    for task in tasks:
        outcome = _score(scorer, task)
        progress(outcome)
        yield outcome


def _run_in_processes(
    tasks: Iterable[Task],
    scorer: Scorer,
    workers: int,
    start_method: str,
    progress: Callable[[Outcome], None],
) -> Iterator[Outcome]:
    waiting = iter(enumerate(tasks))
    running: dict[Future, int] = {}
    done: dict[int, Outcome] = {}
    following = 0
    context = multiprocessing.get_context(start_method)
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
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_scorer: Scorer | None = None  # of this worker process


def _start_worker(scorer: Scorer) -> None:
    global _scorer
    _scorer = scorer


def _score_in_worker(task: Task) -> Outcome:
    assert _scorer is not None
    return _score(_scorer, task)


def _score(scorer: Scorer, task: Task) -> Outcome:
    if task.problem is not None:
        return Outcome(task.video_id, len(task), problem=task.problem)
    try:
        return scorer(task)
    except InputError as error:
        return Outcome(task.video_id, len(task), problem=str(error))
