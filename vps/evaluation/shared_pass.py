"""One run of a model for several evaluators.

What a model gives for a video is an iterator that runs it and can be read once. Here each frame
goes to all evaluators before the next one is made, so an evaluation takes the memory of a frame or
two, whatever the number of frames and of evaluators.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import Queue
from typing import Any, TypeVar

from vps.d2.evaluation import DatasetEvaluators
from vps.structures import PanopticFrame, VideoRecord

Item = TypeVar("Item")
Consumer = Callable[[Iterator[Item]], Any]

_ITEM, _ERROR, _END = range(3)


def share_items(items: Iterable[Item], consumers: Sequence[Consumer]) -> None:
    """Run through ``items`` once, in this thread, and give each of them to all consumers.

    A consumer is called with an iterator, in a thread of its own if there are several, and is at
    most one item behind. It sees the items in order, so what it computes does not depend on the
    others.

    Raises:
        Exception: the first that ``items`` or a consumer raises; nothing is read after it.
    """
    if len(consumers) == 1:
        consumers[0](iter(items))
        return
    readers = [_Reader(consumer) for consumer in consumers]
    try:
        for item in items:
            for reader in readers:
                reader.give(item)
            del item
        for reader in readers:
            reader.end()
    except BaseException as error:
        for reader in readers:
            reader.end(error)
        # What a consumer found wrong comes before what that led to.
        raise next((r.error for r in readers if r.error not in (None, error)), error) from None


class _Reader:
    """One consumer and its thread."""

    def __init__(self, consumer: Consumer) -> None:
        self.error: BaseException | None = None
        self._queue: Queue = Queue(maxsize=1)
        self._thread = threading.Thread(
            target=self._run, args=(consumer,), name="vps-evaluation", daemon=True
        )
        self._thread.start()

    def give(self, item: Any) -> None:
        self._queue.put((_ITEM, item))
        if self.error is not None:
            raise self.error

    def end(self, error: BaseException | None = None) -> None:
        """Say that there is nothing more, or why, and wait for the consumer."""
        if self._thread.is_alive():
            self._queue.put((_END, None) if error is None else (_ERROR, error))
            self._thread.join()
        if error is None and self.error is not None:
            raise self.error

    def _run(self, consumer: Consumer) -> None:
        ended = False

        def items() -> Iterator[Any]:
            nonlocal ended
            while True:
                kind, content = self._queue.get()
                ended = kind != _ITEM
                if kind == _ERROR:
                    raise content
                if kind == _END:
                    return
                yield content
                del content

        try:
            consumer(items())
        except BaseException as error:
            self.error = error
        while not ended:  # the consumer stopped early; the giver must not wait for it
            ended = self._queue.get()[0] != _ITEM


class SharedPassEvaluators(DatasetEvaluators):
    """Several evaluators of videos as one, each of which reads all of ``outputs[i]["frames"]``.

    That iterator runs the model and can be read once; the host's DatasetEvaluators would hand an
    exhausted one to the second evaluator.
    """

    def process(self, inputs: Iterable[VideoRecord], outputs: Iterable[dict[str, Any]]) -> None:
        """Run the model once over each video, all evaluators side by side."""
        for record, output in zip(inputs, outputs, strict=True):
            consumers = [_consume(evaluator, record) for evaluator in self._evaluators]
            with contextlib.closing(_as_generator(output["frames"])) as frames:
                share_items(frames, consumers)


def _consume(evaluator: Any, record: VideoRecord) -> Consumer:
    return lambda frames: evaluator.process([record], [{"frames": frames}])


def _as_generator(frames: Iterable[PanopticFrame]) -> Iterator[PanopticFrame]:
    yield from frames
