"""Panoptic results: an RGB PNG per frame (id = R + 256 G + 65536 B) and one JSON, in three forms.

::

    panoptic         panoptic.json  panoptic/<video_id>/<frame_id>.png    as our data sets
    vipseg           pred.json      pan_pred/<video_id>/<frame_id>.png    a VIPSeg submission
    cityscapes_vps   pred.json      pan_pred/<frame_id>.png               one of Cityscapes-VPS

The JSON has categories, videos (flat: images) and annotations; categories are the data set's ids.
In the forms of submissions every segment also has its ``bbox``. A flat JSON lists the frames of all
videos one after the other; the official programs look at nothing but the order.

A video is written into a temporary folder and appears when it is complete. Its table is one line
per frame in ``<folder>/parts/``, so that nothing grows with the length and several processes may
each write other videos; ``finish()``, called by one of them, joins the parts into the JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import quote, unquote

import numpy as np

from vps.io.atomic import atomic_folder, atomic_write
from vps.io.panoptic import write_panoptic_png
from vps.io.result_writer import (
    ResultWriter,
    VideoResultWriter,
    check_name,
    check_not_empty,
    missing_videos_error,
)
from vps.structures import Category, InputError, PanopticFrame, category_of


class PanopticForm(NamedTuple):
    """Names of a form: the folder of the PNGs and the JSON; whether both have a level of videos,
    and whether segments have boxes.
    """

    png_folder: str
    json_name: str
    nested: bool
    boxes: bool


PANOPTIC_FORMS = {
    "panoptic": PanopticForm("panoptic", "panoptic.json", nested=True, boxes=False),
    "vipseg": PanopticForm("pan_pred", "pred.json", nested=True, boxes=True),
    "cityscapes_vps": PanopticForm("pan_pred", "pred.json", nested=False, boxes=True),
}


class PanopticResultWriter(ResultWriter):
    """Write panoptic results of videos into a folder.

    Attributes:
        folder: see ``ResultWriter``.
        json_path: the file that ``finish()`` writes.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        categories: Sequence[Category],
        *,
        form: str = "panoptic",
    ) -> None:
        if form not in PANOPTIC_FORMS:
            raise ValueError(f"expected form {' or '.join(PANOPTIC_FORMS)}, got {form!r}")
        self.folder = Path(folder)
        self._categories = list(categories)
        self._form = PANOPTIC_FORMS[form]
        self._png_folder = self.folder / self._form.png_folder
        self._parts = self.folder / "parts"
        self.json_path = self.folder / self._form.json_name

    @contextlib.contextmanager
    def video(
        self, video_id: str, *, frame_ids: Collection[str] | None = None
    ) -> Iterator[VideoResultWriter]:
        """See ``ResultWriter``. In the flat form the PNGs of a complete video are moved one by one
        into the folder that all share; an interrupt there leaves PNGs that no JSON will list.
        """
        check_name(video_id, "video")
        folder = self._png_folder / video_id if self._form.nested else self._png_folder
        part = self._part(video_id)
        made = [p for p in (folder.parent, *folder.parent.parents, self._parts) if not p.exists()]
        arrives = atomic_folder if self._form.nested else _files_moved_into
        try:
            # The PNGs arrive first: a part never lists pictures that are not there.
            with atomic_write(part, "w") as table, arrives(folder) as temporary:
                writer = _PanopticVideoWriter(
                    video_id,
                    temporary,
                    table,
                    self._categories,
                    with_boxes=self._form.boxes,
                    frame_ids=frame_ids,
                )
                yield writer
                check_not_empty(writer)
        except BaseException:
            for empty in sorted(made, key=lambda path: len(path.parts), reverse=True):
                with contextlib.suppress(OSError):  # not empty: it holds other videos
                    empty.rmdir()
            raise

    def is_written(self, video_id: str) -> bool:
        """See ``ResultWriter``."""
        return self._part(video_id).is_file()

    def finish(self, video_ids: Sequence[str] | None = None) -> Path:
        """Join the parts into the JSON and remove them; see ``ResultWriter``.

        Raises:
            InputError: also when, in the flat form, two videos have a frame of the same name.
        """
        if video_ids is None:
            video_ids = sorted(unquote(part.stem) for part in self._parts.glob("*.jsonl"))
        parts = {name: self._part(name) for name in video_ids}
        if missing := [name for name, part in parts.items() if not part.is_file()]:
            raise missing_videos_error(self.folder, video_ids, missing)
        if not self._form.nested:
            _check_distinct_frames(parts)
        with atomic_write(self.json_path, "w") as file:
            self._join(parts, file)
        shutil.rmtree(self._parts, ignore_errors=True)
        return self.json_path

    def _part(self, video_id: str) -> Path:
        return self._parts / f"{quote(video_id, safe='')}.jsonl"

    def _join(self, parts: dict[str, Path], file: IO[str]) -> None:
        """Write the JSON line by line: a long video's table need not fit in memory either."""
        categories = [
            {"id": c.dataset_id, "name": c.name, "isthing": int(c.isthing), "color": list(c.color)}
            for c in self._categories
        ]
        file.write(f'{{"categories": {json.dumps(categories)},\n')
        images = "videos" if self._form.nested else "images"
        for key, field, end in ((images, "images", ","), ("annotations", "annotations", "}")):
            file.write(f'"{key}": [')
            separator = ""
            for video_id, part in parts.items():
                if self._form.nested:
                    file.write(f'{separator}\n{{"video_id": {json.dumps(video_id)}, "{field}": [')
                    separator = ""
                for row in _rows(part):
                    file.write(f"{separator}\n{json.dumps(row[field])}")
                    separator = ","
                if self._form.nested:
                    file.write("]}")
                    separator = ","
            file.write(f"]{end}\n")


class _PanopticVideoWriter(VideoResultWriter):
    """A PNG and a row of the table per frame."""

    def __init__(
        self,
        video_id: str,
        folder: Path,
        table: IO[str],
        categories: Sequence[Category],
        *,
        with_boxes: bool,
        frame_ids: Collection[str] | None,
    ) -> None:
        super().__init__(video_id, folder, frame_ids=frame_ids)
        self._table = table
        self._categories = categories
        self._with_boxes = with_boxes

    def _save(self, path: Path, frame: PanopticFrame, areas: dict[int, int], where: str) -> None:
        segments = [self._describe(segment_id, area, frame) for segment_id, area in areas.items()]
        write_panoptic_png(path, frame.ids)
        height, width = frame.ids.shape
        name = frame.frame_id
        image = {"id": name, "file_name": f"{name}.jpg", "width": width, "height": height}
        annotation = {"image_id": name, "file_name": f"{name}.png", "segments_info": segments}
        self._table.write(json.dumps({"images": image, "annotations": annotation}) + "\n")

    def _describe(self, segment_id: int, area: int, frame: PanopticFrame) -> dict[str, Any]:
        segment = frame.segments[segment_id]
        entry: dict[str, Any] = {
            "id": segment_id,
            "category_id": category_of(segment, self._categories).dataset_id,
            "iscrowd": int(segment.iscrowd),
            "area": area,
            "score": round(float(segment.score), 6),
        }
        if self._with_boxes:
            entry["bbox"] = _bounding_box(frame.ids == segment_id)
        return entry


@contextlib.contextmanager
def _files_moved_into(folder: Path) -> Iterator[Path]:
    """Give a temporary folder whose files are moved into ``folder`` when the block ends without an
    error.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent
    ) as temporary:
        yield Path(temporary)
        folder.mkdir(exist_ok=True)
        for path in sorted(Path(temporary).iterdir()):
            os.replace(path, folder / path.name)


def _rows(part: Path) -> Iterator[dict[str, Any]]:
    with part.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _check_distinct_frames(parts: dict[str, Path]) -> None:
    """In the flat form the PNGs of all videos share a folder."""
    owner: dict[str, str] = {}
    for video_id, part in parts.items():
        for row in _rows(part):
            name = row["annotations"]["image_id"]
            if owner.setdefault(name, video_id) != video_id:
                raise InputError(
                    "expected frame names that no two videos share, since this form keeps all "
                    f"PNGs in one folder, got {name} in the videos {owner[name]} and {video_id}"
                )


def _bounding_box(mask: np.ndarray) -> list[int]:
    """[x, y, width, height] of the True pixels of bool [H, W]."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [
        int(columns[0]),
        int(rows[0]),
        int(columns[-1] - columns[0] + 1),
        int(rows[-1] - rows[0] + 1),
    ]
