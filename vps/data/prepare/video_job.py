"""One video of a preparation: prepared once, and remembered by the files that it was made from.

What is known of a finished video lies in ``<root>/.prepared/<video>.json``. It counts as finished
as long as its sources have the same sizes and times, the settings are the same, and everything that
was written is still there with the size that it had.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vps.io import read_json, write_json
from vps.structures import InputError

RECORDS = ".prepared"
FORMAT = 1  # of the records; another number makes every video be prepared again


@dataclass(frozen=True)
class VideoJob:
    """A video to prepare.

    Attributes:
        name: of the video, unlike any other of the preparation.
        sources: every file that the result depends on.
        about: what else the work needs to know; must be something that JSON can hold.
    """

    name: str
    sources: tuple[Path, ...]
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class VideoResult:
    """What preparing a video gave.

    Attributes:
        files: what was written, relative to the root.
        entry: what the index file says about the video, as JSON has it.
        counts: numbers for the manifest, which adds them up over the videos.
        findings: oddities of the source that were dealt with, one sentence each.
    """

    files: list[str]
    entry: dict[str, Any]
    counts: dict[str, int] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)


Work = Callable[[Path, VideoJob], VideoResult]


def prepare_video(
    root: Path, work: Work, settings: Mapping[str, Any], job: VideoJob
) -> tuple[str, bool]:
    """Do the work unless it is done; the video's name and whether something had to be done.

    Raises:
        InputError: a source is missing, or the work says what is wrong with one.
    """
    fingerprint = _fingerprint(job, settings)
    if _is_finished(root, job.name, fingerprint):
        return job.name, False
    record_path(root, job.name).unlink(missing_ok=True)  # until it is true again
    result = work(root, job)
    files = {name: _describe(root / name) for name in sorted(result.files)}
    record = {
        "fingerprint": fingerprint,
        "digest": _digest(files),
        "files": files,
        "counts": result.counts,
        "findings": result.findings,
        "entry": result.entry,
    }
    write_json(record_path(root, job.name), record)
    return job.name, True


def record_path(root: Path, name: str) -> Path:
    """Where the record of a finished video lies."""
    return root / RECORDS / f"{quote(name, safe='')}.json"


def read_record(root: Path, name: str) -> dict[str, Any]:
    """The record of a finished video."""
    return read_json(record_path(root, name))


def _fingerprint(job: VideoJob, settings: Mapping[str, Any]) -> str:
    sources = []
    for path in job.sources:
        try:
            status = os.stat(path)
        except FileNotFoundError as error:
            raise InputError(f"{path} does not exist") from error
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error
        sources.append([path.name, status.st_size, status.st_mtime_ns])
    content = [FORMAT, dict(settings), dict(job.about), sources]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _is_finished(root: Path, name: str, fingerprint: str) -> bool:
    path = record_path(root, name)
    if not path.is_file():
        return False
    try:
        record = read_json(path)
        if record["fingerprint"] != fingerprint:
            return False
        return all(
            os.path.getsize(root / file) == size for file, (size, _) in record["files"].items()
        )
    except (InputError, OSError, KeyError, TypeError, ValueError, AttributeError):
        return False  # a record that is damaged, or a file that is gone


def _describe(path: Path) -> tuple[int, str]:
    """(size in bytes, sha256) of a file."""
    content = path.read_bytes()
    return len(content), hashlib.sha256(content).hexdigest()


def _digest(files: Mapping[str, tuple[int, str]]) -> str:
    """One sha256 for all files of a video: of the lines "<sha256>  <name>"."""
    lines = "".join(f"{digest}  {name}\n" for name, (_, digest) in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
