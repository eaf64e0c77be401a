"""One run of a model for several readers: order, memory, and who is told of an error."""

from __future__ import annotations

import threading
import weakref

import pytest

from vps.evaluation.shared_pass import share_items


class Item:
    """Something that can be watched."""

    def __init__(self, number: int) -> None:
        self.number = number


def numbers(count: int, alive: weakref.WeakSet | None = None):
    for number in range(count):
        item = Item(number)
        if alive is not None:
            alive.add(item)
        yield item
        del item


def no_threads_left() -> bool:
    return not [t for t in threading.enumerate() if t.name == "vps-evaluation"]


@pytest.mark.parametrize("count", [0, 1, 5])
@pytest.mark.parametrize("readers", [1, 2, 4])
def test_all_see_everything_in_order(count, readers):
    seen = [[] for _ in range(readers)]
    share_items(
        numbers(count),
        [lambda items, to=one: to.extend(item.number for item in items) for one in seen],
    )
    assert seen == [list(range(count))] * readers
    assert no_threads_left()


def test_a_run_keeps_few_items():
    alive, most = weakref.WeakSet(), []

    def look(items):
        for item in items:
            most.append(len(alive))
            del item

    share_items(numbers(50, alive), [look, look, look])
    # One being made, one waiting and one being read, for each of the readers at worst.
    assert len(most) == 150 and 1 <= max(most) <= 3


def test_items_are_made_in_this_thread():
    """A model's gradients and devices are set up for it."""
    where = []

    def watched():
        for item in numbers(3):
            where.append(threading.current_thread())
            yield item

    share_items(watched(), [list, list])
    assert set(where) == {threading.current_thread()}


def fails_at(number: int, error: Exception):
    def consume(items):
        for item in items:
            if item.number == number:
                raise error

    return consume


def test_a_reader_that_fails_ends_the_run():
    made, error = [], ValueError("item 3 is bad")

    def watched():
        for item in numbers(1000):
            made.append(item.number)
            yield item

    with pytest.raises(ValueError, match="item 3 is bad") as caught:
        share_items(watched(), [list, fails_at(3, error), list])
    assert caught.value is error
    assert len(made) < 10 and no_threads_left()


def test_a_reader_that_fails_at_the_end():
    def consume(items):
        raise KeyError(f"{len(list(items))} items")

    with pytest.raises(KeyError, match="5 items"):
        share_items(numbers(5), [list, consume])


def test_a_source_that_fails_is_told_to_all():
    told = []

    def source():
        yield from numbers(2)
        raise RuntimeError("the model broke")

    def consume(items):
        try:
            list(items)
        except RuntimeError as error:
            told.append(str(error))
            raise

    with pytest.raises(RuntimeError, match="the model broke"):
        share_items(source(), [consume, consume])
    assert told == ["the model broke"] * 2 and no_threads_left()


def test_a_reader_may_stop_early():
    seen = []
    share_items(numbers(100), [lambda items: next(items), lambda items: seen.extend(items)])
    assert len(seen) == 100
