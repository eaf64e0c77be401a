"""Write panoptic results: an RGB PNG per frame and one JSON, in the layout of the data sets.

::

    <folder>/panoptic/<video_id>/<frame_id>.png     id = R + 256 G + 65536 B
    <folder>/panoptic.json                          categories, videos, annotations

With ``form="vipseg"`` the names are those of a VIPSeg submission, ``pan_pred/`` and ``pred.json``,
and every segment also has its ``bbox``. Categories in the JSON are the data set's ids.

A video is written into a temporary folder and appears when it is complete. Its table is one line
per frame in ``<folder>/parts/``, so that nothing grows with the length and several processes may
each write other videos; ``finish()``, called by one of them, joins the parts into the JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal
from urllib.parse import quote, unquote

import numpy as np

from vps.io.atomic import atomic_folder, atomic_write
from vps.io.panoptic import write_panoptic_png
from vps.structures import MAX_ID, Category, InputError, LabelRuns, PanopticFrame

# Form -> folder of the PNGs, name of the JSON.
FORMS = {"panoptic": ("panoptic", "panoptic.json"), "vipseg": ("pan_pred", "pred.json")}


class PanopticResultWriter:
    """Write the results of videos into a folder.

    ::

        writer = PanopticResultWriter("results", categories)
        with writer.video("street") as video:
            for frame in predictor("street.mp4"):
                video.write(frame)
        writer.finish()

    Attributes:
        folder: where the results are written; made when missing. Videos that are there already are
            kept until one of the same name is complete.
        json_path: the file that ``finish()`` writes.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        categories: Sequence[Category],
        *,
        form: Literal["panoptic", "vipseg"] = "panoptic",
    ) -> None:
        if form not in FORMS:
            raise ValueError(f"expected form {' or '.join(FORMS)}, got {form!r}")
        self.folder = Path(folder)
        self._categories = list(categories)
        self._with_boxes = form == "vipseg"
        png_folder, json_name = FORMS[form]
        self._png_folder = self.folder / png_folder
        self._parts = self.folder / "parts"
        self.json_path = self.folder / json_name

    @contextlib.contextmanager
    def video(self, video_id: str) -> Iterator[VideoResultWriter]:
        """Write one video; nothing of it appears unless the block ends without an error.

        Raises:
            InputError: the name cannot be a folder's, or no frame was written.
        """
        _check_name(video_id, "video")
        folder = self._png_folder / video_id
        part = self._parts / f"{quote(video_id, safe='')}.jsonl"
        made = [p for p in (folder.parent, *folder.parent.parents, self._parts) if not p.exists()]
        try:
            # The folder is renamed first: a part never lists pictures that are not there.
            with atomic_write(part, "w") as table, atomic_folder(folder) as temporary:
                writer = VideoResultWriter(
                    video_id, temporary, table, self._categories, with_boxes=self._with_boxes
                )
                yield writer
                if writer.count == 0:
                    raise InputError(f"expected at least one frame in video {video_id}, got none")
        except BaseException:
            for empty in sorted(made, key=lambda path: len(path.parts), reverse=True):
                with contextlib.suppress(OSError):  # not empty: it holds other videos
                    empty.rmdir()
            raise

    def is_written(self, video_id: str) -> bool:
        """Whether the video is complete and waits for ``finish()``."""
        return (self._parts / f"{quote(video_id, safe='')}.jsonl").is_file()

    def finish(self, video_ids: Sequence[str] | None = None) -> Path:
        """Join the parts into the JSON and remove them.

        Args:
            video_ids: the videos of the JSON, in this order; None takes all that were written, by
                name. (VIPSeg's server matches videos by position: give them in its order.)

        Returns:
            The path of the JSON.

        Raises:
            InputError: one of ``video_ids`` was not written.
        """
        if video_ids is None:
            video_ids = sorted(unquote(part.stem) for part in self._parts.glob("*.jsonl"))
        parts = {name: self._parts / f"{quote(name, safe='')}.jsonl" for name in video_ids}
        if missing := [name for name, part in parts.items() if not part.is_file()]:
            raise InputError(
                f"expected results of {len(parts)} videos in {self.folder}, but those of "
                f"{', '.join(missing[:5])} are missing ({len(missing)} in all)"
            )
        with atomic_write(self.json_path, "w") as file:
            self._join(parts, file)
        shutil.rmtree(self._parts, ignore_errors=True)
        return self.json_path

    def _join(self, parts: dict[str, Path], file: IO[str]) -> None:
        """Write the JSON line by line: a long video's table need not fit in memory either."""
        categories = [
            {"id": c.dataset_id, "name": c.name, "isthing": int(c.isthing), "color": list(c.color)}
            for c in self._categories
        ]
        file.write(f'{{"categories": {json.dumps(categories)},\n')
        for key, field, end in (("videos", "images", ","), ("annotations", "annotations", "}")):
            file.write(f'"{key}": [')
            for number, (video_id, part) in enumerate(parts.items()):
                separator = "," if number else ""
                file.write(f'{separator}\n{{"video_id": {json.dumps(video_id)}, "{field}": [')
                with part.open(encoding="utf-8") as lines:
                    for row, line in enumerate(lines):
                        entry = json.dumps(json.loads(line)[field])
                        file.write(f"{',' if row else ''}\n{entry}")
                file.write("]}")
            file.write(f"]{end}\n")


class VideoResultWriter:
    """Writes the frames of one video; made by ``PanopticResultWriter.video()``.

    Attributes:
        count: frames written so far.
    """

    def __init__(
        self,
        video_id: str,
        folder: Path,
        table: IO[str],
        categories: Sequence[Category],
        *,
        with_boxes: bool,
    ) -> None:
        self.video_id = video_id
        self.count = 0
        self._folder = folder
        self._table = table
        self._categories = categories
        self._with_boxes = with_boxes
        self._shape: tuple[int, ...] | None = None

    def write(self, frame: PanopticFrame) -> None:
        """Write the PNG and the table row of one frame.

        Segments without a pixel are left out, since every segment of a frame's table must be in
        its PNG.

        Raises:
            InputError: a pixel's id has no segment, or the frame's name was used before.
        """
        _check_name(frame.frame_id, "frame", inner=False)
        where = f"frame {frame.frame_id} of video {self.video_id}"
        self._shape = self._shape or frame.ids.shape
        if frame.ids.shape != self._shape:
            raise InputError(f"expected {where} to be {self._shape}, got {frame.ids.shape}")
        path = self._folder / f"{frame.frame_id}.png"
        if path.exists():
            raise InputError(f"{where} was written twice; frame names must be unique")
        segments = [
            self._describe(int(segment_id), int(area), frame, where)
            for segment_id, area in zip(*LabelRuns.from_map(frame.ids).count_ids())
            if segment_id != 0
        ]
        write_panoptic_png(path, frame.ids)
        height, width = self._shape
        name = frame.frame_id
        image = {"id": name, "file_name": f"{name}.jpg", "width": width, "height": height}
        annotation = {"image_id": name, "file_name": f"{name}.png", "segments_info": segments}
        self._table.write(json.dumps({"images": image, "annotations": annotation}) + "\n")
        self.count += 1

    def _describe(
        self, segment_id: int, area: int, frame: PanopticFrame, where: str
    ) -> dict[str, Any]:
        segment = frame.segments.get(segment_id)
        if segment is None or not 0 < segment_id <= MAX_ID:
            raise InputError(
                f"expected a segment in 1..{MAX_ID} for every id of {where}, got pixels of id "
                f"{segment_id}, which its segments do not list"
            )
        entry: dict[str, Any] = {
            "id": segment_id,
            "category_id": self._categories[segment.category].dataset_id,
            "iscrowd": int(segment.iscrowd),
            "area": area,
            "score": round(float(segment.score), 6),
        }
        if self._with_boxes:
            entry["bbox"] = _bounding_box(frame.ids == segment_id)
        return entry


def _check_name(name: str, what: str, *, inner: bool = True) -> None:
    """Refuse names that would leave the folder (or, without ``inner``, need one of their own)."""
    parts = PurePosixPath(name).parts
    good = bool(parts) and not name.startswith("/") and ".." not in parts and "\\" not in name
    if not good or (not inner and len(parts) > 1):
        raise InputError(f"expected a {what} name that can be a file name, got {name!r}")


def _bounding_box(mask: np.ndarray) -> list[int]:
    """[x, y, width, height] of the True pixels of bool [H, W]."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [
        int(columns[0]),
        int(rows[0]),
        int(columns[-1] - columns[0] + 1),
        int(rows[-1] - rows[0] + 1),
    ]
