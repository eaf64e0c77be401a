"""Reading ahead: in order, bounded, and gone when nobody listens."""

from __future__ import annotations

import gc
import threading
import time

import pytest

from vps.io.prefetch import prefetch


class Counter:
    """An iterator that tells how many items it has given and whether it was closed."""

    def __init__(self, stop: int, error: Exception | None = None) -> None:
        self.given, self.stop, self.error, self.closed = 0, stop, error, False

    def __iter__(self):
        return self

    def __next__(self):
        if self.given == self.stop:
            if self.error:
                raise self.error
            raise StopIteration
        self.given += 1
        return self.given - 1

    def close(self):
        self.closed = True


def reader_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "vps-prefetch"]


def settle(counter: Counter) -> int:
    """What the reader has given once it no longer moves."""
    before = -1
    while counter.given != before:
        before = counter.given
        time.sleep(0.03)
    return counter.given


@pytest.mark.parametrize("ahead", [0, 1, 4, 100])
@pytest.mark.parametrize("length", [0, 1, 30])
def test_gives_all_items_in_order(ahead, length):
    assert list(prefetch(Counter(length), ahead)) == list(range(length))
    assert not reader_threads()


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_reader_is_never_further_ahead_than_allowed(ahead):
    counter = Counter(1000)
    items = prefetch(counter, ahead)
    for taken in range(1, 6):
        next(items)
        assert settle(counter) == taken + ahead  # exactly: it does read ahead, and no more
    items.close()


def test_nothing_is_read_before_the_first_item_is_asked_for():
    counter = Counter(5)
    prefetch(counter, 2)
    time.sleep(0.03)
    assert counter.given == 0 and not reader_threads()


@pytest.mark.parametrize("how", ["close", "drop", "break"])
def test_thread_ends_and_closes_its_source_when_left_early(how):
    counter = Counter(1000)
    items = prefetch(counter, 2)
    next(items)
    assert reader_threads()
    if how == "close":
        items.close()
    elif how == "drop":
        del items
    else:
        for _ in items:
            break
        del items
    gc.collect()
    assert not reader_threads() and counter.closed


@pytest.mark.parametrize("ahead", [0, 3])
def test_error_of_the_reader_comes_after_the_items_before_it(ahead):
    items = prefetch(Counter(4, OSError("disk gone")), ahead)
    assert [next(items) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(OSError, match="disk gone"):
        next(items)
    assert not reader_threads()


def test_error_while_the_source_starts_is_raised():
    with pytest.raises(TypeError):
        next(prefetch(None, 2))


def test_negative_ahead_is_refused():
    with pytest.raises(ValueError, match="ahead >= 0"):
        prefetch([], -1)
