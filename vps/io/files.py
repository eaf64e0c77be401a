"""JSON files, with errors that name the file and the place in it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from vps.io.atomic import atomic_write
from vps.structures import InputError


def read_json(path: str | os.PathLike) -> Any:
    """Read a JSON file.

    Raises:
        InputError: the file is missing, empty or no JSON; names the file, line and column.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"expected JSON text in UTF-8 in {path}, got byte {error.start} that is not"
        ) from error
    if not text.strip():
        raise InputError(f"expected JSON in {path}, got an empty file; was writing it interrupted?")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"expected JSON in {path}, got an error in line {error.lineno}, "
            f"column {error.colno}: {error.msg}"
        ) from error


def write_json(path: str | os.PathLike, content: Any, *, indent: int | None = None) -> None:
    """Write ``content`` as JSON, atomically; NaN and infinity are refused, as JSON has neither."""
    with atomic_write(path, "w") as file:
        json.dump(content, file, indent=indent, allow_nan=False)
