"""What the metrics of whole videos share: what is kept of each video stands under its id.

So a video cannot count twice, and metrics that saw different videos, in different processes say,
merge into the one that would have seen them all.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from vps.structures import InputError

Metric = TypeVar("Metric", bound="VideoMetric")


class VideoMetric:
    """Base of the metrics. A subclass sets its settings in ``__init__``, names them in
    ``_settings``, and begins ``update`` with ``_check_new``.
    """

    _settings: tuple[str, ...] = ()  # attributes in which metrics to be merged must agree

    _videos: dict[str, Any]

    def __init__(self) -> None:
        self._clear()

    @property
    def video_ids(self) -> list[str]:
        """The videos seen so far, sorted."""
        return sorted(self._videos)

    def fresh(self: Metric) -> Metric:
        """A metric with the same settings that has seen nothing."""
        other = copy.copy(self)
        other._clear()
        return other

    def merge(self: Metric, other: Metric) -> None:
        """Take over the videos of another metric (another process').

        Raises:
            InputError: the settings differ, or both have seen a video; nothing was changed then.
        """
        different = [n for n in self._settings if getattr(self, n) != getattr(other, n)]
        if different:
            names = " and ".join(name.replace("_", " ") for name in different)
            raise InputError(f"metrics with different {names} cannot be merged")
        for video_id in other._videos:
            self._check_new(video_id)
        self._videos.update(other._videos)
        self._add_totals(other)

    def _clear(self) -> None:
        """Forget all videos, without touching what other metrics hold too."""
        self._videos = {}

    def _add_totals(self: Metric, other: Metric) -> None:
        """Add what another metric has summed up beside its videos."""

    def _check_new(self, video_id: str) -> None:
        """Raise InputError when a video was scored before."""
        if video_id in self._videos:
            raise InputError(
                f"video {video_id} was already scored; every video must have its own video_id and "
                "be evaluated once"
            )
