"""What was read of a video, kept on disk, so that it need not be read again.

For panoptic labels a file holds the frame tables of one video (some ten kilobytes; numbers and
names only). They depend on the files and not on the metrics, so an evaluation that was stopped goes
on where it stopped, and other windows or metrics can be computed later without a look at the PNGs.
For masks of objects it holds the metric after that video. Other code does not read either.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import pickle
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from vps.evaluation.official.code_version import code_hash
from vps.evaluation.official.runner import Outcome
from vps.evaluation.official.tables import VideoRead
from vps.io import atomic_write
from vps.metrics import VideoTables
from vps.metrics.video_tables import Listing

_ARRAYS = ("frames", "gt_ids", "pred_ids", "pixels")


class StateFolder:
    """The finished videos of a panoptic evaluation, one file each, written atomically.

    Attributes:
        folder: where they are.
        reuse: take finished videos from there; else they are only written.
    """

    def __init__(self, folder: str | os.PathLike, *, reuse: bool) -> None:
        self.folder = Path(folder)
        self.reuse = reuse

    def load(self, video_id: str, fingerprint: str) -> VideoRead | None:
        """The video as it was read from input with this fingerprint, else None."""
        if not self.reuse:
            return None
        try:
            with np.load(self._path(video_id), allow_pickle=False) as arrays:
                about = json.loads(str(arrays["about"]))
                if (about["code"], about["fingerprint"]) != (code_hash(), fingerprint):
                    return None
                return _unpack(video_id, about, arrays)
        except Exception:  # a state that cannot be used, however broken, means reading again
            return None

    def save(self, read: VideoRead, fingerprint: str) -> None:
        """Keep a video."""
        tables = read.tables
        about = {
            "code": code_hash(),
            "fingerprint": fingerprint,
            "frame_ids": tables.frame_ids,
            "gt_digest": read.gt_digest,
            "pred_digest": read.pred_digest,
            "remarks": read.remarks,
        }
        arrays = {name: getattr(tables, name) for name in _ARRAYS}
        for side in ("gt", "pred"):
            listing = getattr(tables, side)
            for column in fields(listing):
                arrays[f"{side}.{column.name}"] = getattr(listing, column.name)
        with atomic_write(self._path(tables.video_id)) as file:
            np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)

    def _path(self, video_id: str) -> Path:
        return self.folder / f"{_file_stem(video_id)}.npz"


def _unpack(video_id: str, about: dict, arrays: Any) -> VideoRead:
    listings = {
        side: Listing(**{c.name: arrays[f"{side}.{c.name}"] for c in fields(Listing)})
        for side in ("gt", "pred")
    }
    tables = VideoTables(
        video_id=video_id,
        frame_ids=tuple(about["frame_ids"]),
        **{name: arrays[name] for name in _ARRAYS},
        **listings,
    )
    return VideoRead(tables, about["gt_digest"], about["pred_digest"], tuple(about["remarks"]))


class ObjectStateFolder:
    """The finished videos of an evaluation of objects: for each its outcome, pickled, and read back
    by an unpickler that makes classes of the metrics and nothing else.
    """

    def __init__(self, folder: str | os.PathLike, *, reuse: bool) -> None:
        self.folder = Path(folder)
        self.reuse = reuse

    def load(self, video_id: str, fingerprint: str) -> Outcome | None:
        """The outcome from input with this fingerprint, else None."""
        if not self.reuse:
            return None
        try:
            content = _MetricUnpickler(io.BytesIO(self._path(video_id).read_bytes())).load()
            code, key, outcome = content
            return outcome if (code, key) == (code_hash(), fingerprint) else None
        except Exception:  # as above
            return None

    def save(self, outcome: Outcome, fingerprint: str) -> None:
        """Keep an outcome."""
        with atomic_write(self._path(outcome.video_id)) as file:
            pickle.dump((code_hash(), fingerprint, outcome), file, protocol=4)

    def _path(self, video_id: str) -> Path:
        return self.folder / f"{_file_stem(video_id)}.state"


class _MetricUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == (Outcome.__module__, "Outcome"):
            return Outcome
        if (module, name) == ("builtins", "frozenset"):
            return frozenset
        if module.startswith("vps.metrics.") and "." not in name:
            found = getattr(importlib.import_module(module), name)
            if isinstance(found, type):
                return found
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a state")


def _file_stem(video_id: str) -> str:
    """A name that any file system takes, different for different videos."""
    name = quote(video_id, safe="")
    if len(name) <= 150:
        return name
    return f"{name[:100]}-{hashlib.sha256(video_id.encode()).hexdigest()[:16]}"
