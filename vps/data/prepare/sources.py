"""Reading of downloaded data sets, with errors that say what was expected where."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from vps.data.folders import Folders
from vps.io.images import open_image
from vps.structures import InputError

_NUMBER_MODES = ("1", "L", "P", "I", "I;16", "I;16B")


def required_folder(folder: Path, what: str) -> Path:
    """The folder; InputError where there is none."""
    if not folder.is_dir():
        raise InputError(f"expected {what} with the folder {folder}, which does not exist")
    return folder


def list_names(folder: Path, ending: str) -> list[str]:
    """The names, without ``ending``, of the files in a folder that have it, sorted; hidden files
    and a missing folder count as nothing.
    """
    return list(Folders().stems(folder, (ending,))) if folder.is_dir() else []


def read_list(path: Path) -> list[str]:
    """The lines of a text file that are not empty; no line may stand in it twice."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the list {path}: {error}") from error
    lines = [line for line in lines if line]
    if len(set(lines)) < len(lines):
        twice = next(line for line in lines if lines.count(line) > 1)
        raise InputError(f"{twice} stands twice in {path}")
    return lines


def read_number_image(path: Path) -> Image.Image:
    """Open a picture of one channel, with 8 or 16 bits of whole numbers.

    Raises:
        InputError: it is no picture, or one of colours.
    """
    image = open_image(path)
    if image.mode not in _NUMBER_MODES:
        raise InputError(
            f"expected a picture of one channel of whole numbers, got mode {image.mode} in {path}"
        )
    return image
