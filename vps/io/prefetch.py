"""Read ahead in a background thread, but never further than a few items.

Decoding, inference and encoding then overlap, while memory stays bounded: the reader asks for a
slot *before* it makes an item, so that at most ``ahead`` items wait for the consumer.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from typing import TypeVar

Item = TypeVar("Item")

_ITEM, _ERROR, _END = range(3)


def prefetch(items: Iterable[Item], ahead: int) -> Iterator[Item]:
    """Yield ``items`` in order while a thread reads up to ``ahead`` of them in advance.

    An exception of ``items`` is raised here, after the items that came before it. When this
    generator is closed or dropped, the thread ends and closes ``items`` (if that is a generator)
    before the call returns. The thread starts with the first ``next()``.

    Args:
        items: read by the thread only.
        ahead: most items that may be ready and not yet asked for; 0 reads without a thread.
    """
    if ahead < 0:
        raise ValueError(f"expected ahead >= 0, got {ahead}")
    return _read_ahead(items, ahead) if ahead else _read_directly(items)


def _read_directly(items: Iterable[Item]) -> Iterator[Item]:
    yield from items


def _read_ahead(items: Iterable[Item], ahead: int) -> Iterator[Item]:
    slots = threading.Semaphore(ahead)
    ready: SimpleQueue = SimpleQueue()
    stopped = threading.Event()

    # The thread must not refer to the generator object itself: an abandoned generator could then
    # never be collected, and its thread never end.
    thread = threading.Thread(
        target=_read, args=(items, slots, ready, stopped), name="vps-prefetch", daemon=True
    )
    thread.start()
    try:
        while True:
            kind, content = ready.get()
            if kind == _END:
                return
            if kind == _ERROR:
                raise content
            slots.release()
            yield content
            del content  # or the last frame would live on while the next one is awaited
    finally:
        stopped.set()
        slots.release()
        if thread is not threading.current_thread():  # the collector may run us in that thread
            thread.join()


def _read(
    items: Iterable[Item],
    slots: threading.Semaphore,
    ready: SimpleQueue,
    stopped: threading.Event,
) -> None:
    try:
        iterator = iter(items)
        try:
            while True:
                slots.acquire()
                if stopped.is_set():
                    return
                try:
                    item = next(iterator)
                except StopIteration:
                    break
                ready.put((_ITEM, item))
                del item
        finally:
            if hasattr(iterator, "close"):
                iterator.close()
        ready.put((_END, None))
    except BaseException as error:
        ready.put((_ERROR, error))
