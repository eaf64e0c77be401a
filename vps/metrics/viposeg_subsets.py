"""Which classes of VIPOSeg are things or stuff, seen or unseen in training."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

SUBSETS = ("thing_seen", "thing_unseen", "stuff_seen", "stuff_unseen")


@dataclass(frozen=True)
class VIPOSegSubsets:
    """Subsets of the classes; a class in none of them enters the crowd decay only.

    Attributes:
        classes: {"thing_seen": ids, "thing_unseen": ids, "stuff_seen": ids, "stuff_unseen": ids}.
        other_machine: the class "other machine" (98), whose objects differ so much that the
            benchmark counts them as unseen stuff in some videos and as seen stuff in all others.
        unseen_videos: those videos.
    """

    classes: dict[str, frozenset[int]]
    other_machine: int | None = None
    unseen_videos: frozenset[str] = frozenset()

    @classmethod
    @cache
    def of_benchmark(cls) -> VIPOSegSubsets:
        """The published subsets."""
        file = resources.files("vps.metrics").joinpath("data/viposeg_subsets.json")
        content = json.loads(file.read_text(encoding="utf-8"))
        return cls(
            classes={subset: frozenset(content[subset]) for subset in SUBSETS},
            other_machine=content["other_machine"]["class"],
            unseen_videos=frozenset(content["other_machine"]["unseen_videos"]),
        )

    def subset_of(self, video_id: str, category: int) -> str | None:
        """The subset of an object of a class (zero-based id); None: in no subset."""
        if category == self.other_machine:  # before all other classes, as officially
            return "stuff_unseen" if video_id in self.unseen_videos else "stuff_seen"
        for subset in ("thing_unseen", "stuff_unseen", "thing_seen", "stuff_seen"):
            if category in self.classes.get(subset, ()):
                return subset
        return None
