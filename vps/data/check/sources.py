"""Where plans come from: a source reads an index and goes on after a fault.

The loaders of the data sets stop at the first fault. A source tells all of them and makes plans of
what is left.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path

from vps.data.check.plan import VideoPlan
from vps.data.check.problems import Problem
from vps.data.folders import Folders, MissingFileError, subfolders


class Source(ABC):
    """Reads the plans of a data set, one video at a time.

    Attributes:
        num_frames: how many frames there are to check; None until ``read`` gives its first plan,
            or where nobody knows.
    """

    num_frames: int | None = None

    @abstractmethod
    def read(self) -> Iterator[Problem | VideoPlan]:
        """The problems of the index, and the plans, in the order of the index."""


def unlisted_files(
    kind: str, folder: str | os.PathLike, used: Iterable[str], endings: tuple[str, ...],
    folders: Folders, video_id: str | None = None,
) -> Iterator[Problem]:  # fmt: skip
    """The files of a folder with one of ``endings`` that are not among the paths ``used``."""
    try:
        present = folders.names(folder)
    except MissingFileError:
        return  # told where the files were looked for
    known = {os.path.basename(path) for path in used}
    for name in sorted(present - known):
        if name.lower().endswith(endings) and not name.startswith("."):
            path = os.path.join(folder, name)
            yield Problem(
                kind, path, f"expected only listed files in {folder}, got {path}", video_id
            )


def unlisted_videos(root: Path, used: Iterable[str], index: str) -> Iterator[Problem]:
    """The folders in ``root`` that are of no listed video."""
    try:
        present = subfolders(root)
    except MissingFileError:
        return
    known = {name.split("/")[0] for name in used}
    for name in sorted(set(present) - known):
        path = os.fspath(root / name)
        yield Problem("video-unlisted", path, f"the folder {path} is of no video of {index}", name)
