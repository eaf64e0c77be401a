"""The frame of all preparations: many videos over several processes, resumable, with a manifest.

    def work(root: Path, job: VideoJob) -> VideoResult: ...      # writes the files of one video
    def finish(root: Path, entries) -> list[str]: ...            # writes the index files
    run_preparation(Preparation("vipseg", root, jobs, work, finish, settings), workers=8)

A second run does only what is missing or changed. An error or Ctrl-C stops after the videos that
are being worked on; what is finished stays finished. Sources are only ever read.
"""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import vps
from vps.data.prepare.video_job import (
    VideoJob,
    Work,
    prepare_video,
    read_record,
    record_path,
)
from vps.io import write_json
from vps.structures import InputError

MANIFEST = "manifest.json"
_MOST_FINDINGS = 100  # in the manifest, which also counts them


@dataclass(frozen=True)
class Preparation:
    """What to do.

    Attributes:
        name: of the data set.
        root: the folder to write in.
        jobs: the videos, in the order of the index.
        work: (root, job) writes the files of one video; a module's function or a partial of one.
        finish: (root, entries of all videos by name, read when asked for) writes the index files;
            gives their names relative to the root.
        settings: options that the result depends on.
        manifest: name of the manifest in the root.
        index: files that ``finish`` may write, relative to the root. Where there is one, but no
            manifest and no prepared video, somebody else made it, and nothing is done.
    """

    name: str
    root: Path
    jobs: Sequence[VideoJob]
    work: Work
    finish: Callable[[Path, Entries], list[str]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    manifest: str = MANIFEST
    index: tuple[str, ...] = ()


class Entries:
    """The index entries of finished videos, read from disk one by one, as often as wanted."""

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        self._root, self._names = root, list(names)

    def of(self, names: Sequence[str]) -> Entries:
        """Those of some videos, in this order."""
        return Entries(self._root, names)

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for name in self._names:
            yield name, read_record(self._root, name)["entry"]


def run_preparation(
    preparation: Preparation,
    *,
    workers: int = 1,
    progress: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """Prepare what is not prepared yet, and write the index and the manifest.

    Args:
        preparation: what to do.
        workers: number of processes; the files do not depend on it.
        progress: called after every video.

    Returns:
        The manifest, and under "prepared_now" how many videos there was something to do for.

    Raises:
        InputError: about the first bad video that was met, or files of others would be replaced.
    """
    root, names = preparation.root, [job.name for job in preparation.jobs]
    if not names:
        raise InputError(f"expected at least one video of {preparation.name} to prepare, got none")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"video {twice} of {preparation.name} is listed twice")
    _protect_others(preparation, names)
    root.mkdir(parents=True, exist_ok=True)
    work = partial(prepare_video, root, preparation.work, dict(preparation.settings))
    done_now = 0
    for _, anew in _run(work, preparation.jobs, workers):
        done_now += anew
        progress()
    index = preparation.finish(root, Entries(root, names))
    manifest = _write_manifest(preparation, names, index)
    return {**manifest, "prepared_now": done_now}


def _protect_others(preparation: Preparation, names: Sequence[str]) -> None:
    root = preparation.root
    others = [root / name for name in preparation.index if (root / name).exists()]
    own = (root / preparation.manifest, *(record_path(root, name) for name in names))
    if others and not any(path.exists() for path in own):
        raise InputError(
            f"expected {others[0]} to be absent or made by this preparation, got a file of "
            "something else, which would be replaced; move it away or choose another folder"
        )


def _run(work, jobs: Sequence[VideoJob], workers: int) -> Iterator[tuple[str, bool]]:
    """Give the results as they come."""
    if workers <= 1:
        yield from map(work, jobs)
        return
    # Ctrl-C goes to all processes of a terminal. Only this one acts on it: the others finish the
    # video that they are at, so that no half of one is left.
    ignore = partial(signal.signal, signal.SIGINT, signal.SIG_IGN)
    waiting = iter(jobs)
    with ProcessPoolExecutor(workers, initializer=ignore) as pool:
        try:
            running = {pool.submit(work, job) for job in islice(waiting, 2 * workers)}
            while running:
                finished, running = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
                running |= {pool.submit(work, job) for job in islice(waiting, len(finished))}
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _write_manifest(
    preparation: Preparation, names: Sequence[str], index: list[str]
) -> dict[str, Any]:
    root, counts, videos, findings = preparation.root, {"videos": len(names)}, {}, []
    number = 0
    for name in names:
        record = read_record(root, name)
        videos[name] = record["digest"]
        for key, value in record["counts"].items():
            counts[key] = counts.get(key, 0) + value
        number += len(record["findings"])
        findings.extend(record["findings"][: _MOST_FINDINGS - len(findings)])
    manifest = {
        "dataset": preparation.name,
        "version": vps.__version__,
        "settings": dict(preparation.settings),
        "counts": counts,
        "index_sha256": {
            file: hashlib.sha256((root / file).read_bytes()).hexdigest() for file in index
        },
        "videos_sha256": videos,
        "number_of_findings": number,
        "findings": findings,
    }
    write_json(root / preparation.manifest, manifest, indent=1)
    return manifest
