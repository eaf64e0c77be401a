"""Oddities of a source that a preparation deals with: counted by kind, with the first file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Report = Callable[[str], None]  # takes a sentence about something odd


class Findings:
    """The oddities of one video."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[Path, int]] = {}

    def add(self, what: str, path: Path) -> None:
        """Note that a file has something, told by a sentence without its name."""
        first, count = self._found.get(what, (path, 0))
        self._found[what] = (first, count + 1)

    def sentences(self) -> list[str]:
        """One per kind."""
        return [
            f"{what}: {'/'.join(path.parts[-3:])}"
            + (f" and {count - 1} more of this video" if count > 1 else "")
            for what, (path, count) in self._found.items()
        ]
