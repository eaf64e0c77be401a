"""Plans of records: data sets whose loader is the only one that knows their files.

The loader stops at its first fault, which is then the only one of the index; the files that the
records name are checked all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from vps.data.check.plan import FramePlan, SegmentRow, VideoPlan
from vps.data.check.problems import Problem
from vps.data.check.sources import Source
from vps.structures import Category, InputError, VideoRecord


class RecordSource(Source):
    """The records of a data set, as its loader gives them."""

    def __init__(
        self,
        name: str,
        load: Callable[[], Sequence[VideoRecord]],
        categories: Sequence[Category],
        *,
        index: str | None = None,
        given: bool = False,
        void_label: bool = False,
    ) -> None:
        """
        Args:
            name: of the data set.
            load: gives the records.
            categories: of the data set, contiguous.
            index: the file that lists the data, for messages; None: the name stands for it.
            given, void_label: see ``VideoPlan``.
        """
        self._name, self._load, self._index = name, load, index or name
        self._categories = list(categories)
        self._given, self._void_label = given, void_label

    def read(self) -> Iterator[Problem | VideoPlan]:
        """See ``Source``."""
        try:
            records = self._load()
        except InputError as error:
            yield Problem("loader-refuses", self._index, str(error))
            return
        self.num_frames = sum(record["length"] for record in records)
        if not records:
            yield Problem("video-empty", self._index, f"expected videos in {self._name}, got none")
        for record in records:
            yield self.plan(record)

    def plan(self, record: VideoRecord) -> VideoPlan:
        """The plan of one record."""
        size = record["height"], record["width"]
        references = record.get("reference_file_names") or [None] * record["length"]
        coding = record.get("label_coding", "rgb")
        objects: set[int] = set()
        frames = []
        for t, frame_id in enumerate(record["image_ids"]):
            infos = record["segments_infos"][t]
            rows = None if infos is None else tuple(map(self._row, infos))
            if coding != "rgb":  # such a table lists what may occur, not what does
                objects |= {row.id for row in rows or ()}
                rows = None
            frames.append(
                FramePlan(
                    frame_id,
                    record["file_names"][t],
                    size,
                    record["pan_seg_file_names"][t],
                    rows,
                    references[t],
                )
            )
        return VideoPlan(
            record["video_id"],
            tuple(frames),
            self._index,
            {category.dataset_id: category for category in self._categories},
            coding,
            frozenset(objects),
            unlisted_is_background=record.get("unlisted_is_background", False),
            given=self._given and "reference_file_names" in record,
            void_label=self._void_label,
        )

    def _row(self, info: dict) -> SegmentRow:
        category = self._categories[info["category_id"]]
        return SegmentRow(info["id"], category.dataset_id, info.get("area"))
