"""Problems grouped by kind and counted, for people and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vps.data.check.problems import KINDS, Problem, Severity


class Report:
    """Collects problems; of each kind the first few are kept and the others counted, so that a
    data set where everything is wrong does not fill the memory.

    Attributes:
        name: of the data set.
        counts: {kind: number of problems}.
        examples: {kind: the first problems}.
        num_videos, num_frames: that were checked.
    """

    def __init__(self, name: str, *, keep: int = 1000) -> None:
        """
        Args:
            name: of the data set.
            keep: how many problems of each kind to keep.
        """
        self.name = name
        self.counts: dict[str, int] = {}
        self.examples: dict[str, list[Problem]] = {}
        self.num_videos = self.num_frames = 0
        self._keep = keep

    def add(self, problems: Iterable[Problem]) -> Report:
        """Take in problems; returns itself."""
        for problem in problems:
            self.counts[problem.kind] = self.counts.get(problem.kind, 0) + 1
            kept = self.examples.setdefault(problem.kind, [])
            if len(kept) < self._keep:
                kept.append(problem)
        return self

    def count(self, severity: Severity) -> int:
        """Number of problems of a severity."""
        return sum(n for kind, n in self.counts.items() if KINDS[kind].severity == severity)

    def summary(self) -> str:
        """One line: what was checked and what was found."""
        return (
            f"{self.name}: {self.num_videos:,} videos with {self.num_frames:,} frames checked; "
            f"{_plural(self.count(Severity.ERROR), 'error')}, "
            f"{_plural(self.count(Severity.WARNING), 'warning')}, "
            f"{_plural(self.count(Severity.NOTE), 'note')}"
        )

    def as_text(self, *, most: int = 5) -> str:
        """A table of the kinds, the worst first, with up to ``most`` examples of each."""
        lines = []
        for kind in self._kinds():
            severity, title, advice = KINDS[kind]
            lines.append(f"{severity.name:8}{self.counts[kind]:>9,} x  {kind}: {title}")
            shown = self.examples[kind][:most]
            lines += [f"             {problem.message}" for problem in shown]
            if rest := self.counts[kind] - len(shown):
                lines.append(f"             and {rest:,} more")
            if advice:
                lines.append(f"             ({advice})")
        return "\n".join([*lines, self.summary()])

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the counts, and the problems that were kept."""
        return {
            "dataset": self.name,
            "videos": self.num_videos,
            "frames": self.num_frames,
            **{f"{s.name.lower()}s": self.count(s) for s in reversed(Severity)},
            "kinds": [
                {
                    "kind": kind,
                    "severity": KINDS[kind].severity.name.lower(),
                    "title": KINDS[kind].title,
                    "advice": KINDS[kind].advice,
                    "count": self.counts[kind],
                    "problems": [
                        {k: v for k, v in problem._asdict().items() if k != "kind"}
                        for problem in self.examples[kind]
                    ],
                }
                for kind in self._kinds()
            ],
        }

    def _kinds(self) -> list[str]:
        order = list(KINDS)
        return sorted(self.counts, key=lambda kind: (-KINDS[kind].severity, order.index(kind)))


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
