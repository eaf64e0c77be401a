"""Finding files with one listing per folder: asking for each file is slow on network disks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from vps.structures import InputError

PICTURES = (".jpg", ".jpeg", ".png")
MASKS = (".png",)


class MissingFileError(InputError):
    """A file or folder is not there. ``found`` says what is, as the end of a sentence."""

    def __init__(self, found: str) -> None:
        super().__init__(f"expected a file that exists, got {found}")
        self.found = found


class Folders:
    """Folders, each listed when it is first asked for."""

    def __init__(self) -> None:
        self._names: dict[str, frozenset[str]] = {}

    def names(self, folder: str | os.PathLike) -> frozenset[str]:
        """Names of all that lies in a folder.

        Raises:
            MissingFileError: the folder cannot be listed.
        """
        folder = os.fspath(folder)
        names = self._names.get(folder)
        if names is None:
            try:
                names = frozenset(os.listdir(folder))
            except OSError as error:
                raise MissingFileError(
                    f"the folder {folder}, which cannot be listed: {error.strerror}"
                ) from error
            self._names[folder] = names
        return names

    def find(self, folder: str | os.PathLike, name: str, endings: Sequence[str] = ()) -> str:
        """Path of the file ``name``, which may begin with subfolders.

        VIPSeg gives pictures the names of their masks: another of ``endings`` will do.

        Raises:
            MissingFileError: no such file, or its folder cannot be listed.
        """
        inner, base = os.path.split(name)
        parent = os.path.join(folder, inner) if inner else os.fspath(folder)
        names = self.names(parent)
        if base in names:
            return f"{parent}{os.sep}{base}"
        stem = os.path.splitext(base)[0]
        for ending in endings:
            if stem + ending in names:
                return f"{parent}{os.sep}{stem}{ending}"
        raise MissingFileError(f"{Path(folder, name)}, which does not")

    def stems(self, folder: str | os.PathLike, endings: Sequence[str]) -> dict[str, str]:
        """{name without ending: path} of the files of a folder with one of ``endings``, in the
        order of the names.

        Raises:
            MissingFileError: the folder cannot be listed.
        """
        found: dict[str, str] = {}
        for name in sorted(self.names(folder)):
            stem, ending = os.path.splitext(name)
            if ending.lower() in endings and not name.startswith("."):
                found.setdefault(stem, os.path.join(folder, name))
        return found


def subfolders(folder: str | os.PathLike) -> list[str]:
    """Names of the folders in a folder, in order.

    Raises:
        MissingFileError: the folder cannot be listed.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    except OSError as error:
        raise MissingFileError(
            f"the folder {folder}, which cannot be listed: {error.strerror}"
        ) from error
