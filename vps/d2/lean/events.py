"""Event storage: scalars and pictures that come up during training, by name and iteration.

Code anywhere in a model logs with ``get_event_storage().put_scalar(name, value)``; the writers in
:mod:`vps.d2.lean.writers` read from it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from fvcore.common.history_buffer import HistoryBuffer

__all__ = ["EventStorage", "get_event_storage"]

_open_storages: list[EventStorage] = []


def get_event_storage() -> EventStorage:
    """The storage that is open now, the innermost one.

    Raises:
        AssertionError: none is open, for example when a model is trained outside a trainer.
    """
    if not _open_storages:
        raise AssertionError(
            "expected to be called within 'with EventStorage(...)', but no event storage is open"
        )
    return _open_storages[-1]


class EventStorage:
    """Histories of scalars. As a context manager it becomes what :func:`get_event_storage` gives.

    ``iter`` is the iteration under which values are filed; a trainer keeps it equal to its own.
    """

    def __init__(self, start_iter: int = 0) -> None:
        self.iter = start_iter
        self._histories: dict[str, HistoryBuffer] = defaultdict(HistoryBuffer)
        self._latest: dict[str, tuple[float, int]] = {}
        self._smoothing_hints: dict[str, bool] = {}
        self._prefix = ""
        self._vis_data: list[tuple] = []  # (name, picture, iteration), for tensorboard

    def put_scalar(
        self, name: str, value: float, smoothing_hint: bool = True, cur_iter: int | None = None
    ) -> None:
        """File one value.

        Args:
            name: a name; within ``name_scope("a")`` it becomes ``a/name``.
            value: anything that ``float()`` takes.
            smoothing_hint: whether writers may show a median of recent values instead; must be the
                same each time.
            cur_iter: the iteration; None means the storage's own.
        """
        name = self._prefix + name
        iteration = self.iter if cur_iter is None else cur_iter
        value = float(value)
        if self._smoothing_hints.setdefault(name, smoothing_hint) != smoothing_hint:
            raise AssertionError(
                f"expected scalar {name!r} with the same smoothing_hint as before, "
                f"got {smoothing_hint}"
            )
        self._histories[name].update(value, iteration)
        self._latest[name] = (value, iteration)

    def put_scalars(
        self, *, smoothing_hint: bool = True, cur_iter: int | None = None, **kwargs: float
    ) -> None:
        """File several values: ``storage.put_scalars(loss_a=..., loss_b=...)``."""
        for name, value in kwargs.items():
            self.put_scalar(name, value, smoothing_hint=smoothing_hint, cur_iter=cur_iter)

    def put_image(self, img_name: str, img_tensor) -> None:
        """File a picture for tensorboard: RGB [3,H,W], uint8 in 0..255 or float in 0..1."""
        self._vis_data.append((img_name, img_tensor, self.iter))

    def clear_images(self) -> None:
        """Forget the pictures; a writer calls it after writing them."""
        self._vis_data = []

    def history(self, name: str) -> HistoryBuffer:
        """All values filed under a name.

        Raises:
            KeyError: there are none.
        """
        if name not in self._histories:
            raise KeyError(f"no scalar named {name!r} was logged")
        return self._histories[name]

    def histories(self) -> dict[str, HistoryBuffer]:
        """All values by name."""
        return self._histories

    def latest(self) -> dict[str, tuple[float, int]]:
        """Name -> (newest value, its iteration)."""
        return self._latest

    def latest_with_smoothing_hint(self, window_size: int = 20) -> dict[str, tuple[float, int]]:
        """Like :meth:`latest`, but the median over the last ``window_size`` iterations where
        the hint allows it.
        """
        result = {}
        for name, (value, iteration) in self._latest.items():
            if self._smoothing_hints[name]:
                value = self._histories[name].median(self.count_samples(name, window_size))
            result[name] = (value, iteration)
        return result

    def count_samples(self, name: str, window_size: int = 20) -> int:
        """How many values were filed in the last ``window_size`` iterations before the newest
        one of that name.
        """
        iterations = [iteration for _, iteration in self.history(name).values()]
        count = 0
        for iteration in reversed(iterations):
            if iteration <= iterations[-1] - window_size:
                break
            count += 1
        return count

    def smoothing_hints(self) -> dict[str, bool]:
        """Name -> whether it may be smoothed."""
        return self._smoothing_hints

    def step(self) -> None:
        """Go on to the next iteration; for loops that do not set ``iter`` themselves."""
        self.iter += 1

    @property
    def iter(self) -> int:
        """The current iteration."""
        return self._iter

    @iter.setter
    def iter(self, value: int) -> None:
        self._iter = int(value)

    @contextmanager
    def name_scope(self, name: str) -> Iterator[None]:
        """Within it, names get the prefix ``name/``."""
        outer = self._prefix
        self._prefix = name.rstrip("/") + "/"
        try:
            yield
        finally:
            self._prefix = outer

    def __enter__(self) -> EventStorage:
        _open_storages.append(self)
        return self

    def __exit__(self, exc_type, exc_value, traceback) -> None:
        if _open_storages[-1] is not self:
            raise AssertionError("expected event storages to be closed in reverse order of opening")
        _open_storages.pop()
