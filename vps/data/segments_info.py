"""Reading the segments of a frame out of a panoptic JSON.

An index such as VIPSeg's has a million segments, all of the same form. They are read by a short
loop that gives up at anything unusual; the careful reader then goes over the same frame, accepts
what is merely unusual and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vps.data.json_node import JsonNode
from vps.structures import Category


class SegmentReader:
    """Reads ``segments_info`` as a VideoRecord has it, with contiguous categories."""

    def __init__(self, categories: Sequence[Category]) -> None:
        self._isthing = [category.isthing for category in categories]
        self._by_dataset_id = {c.dataset_id: index for index, c in enumerate(categories)}
        self._video_id = ""
        self._category_of: dict[int, int] = {}  # of the segments of the video

    def begin(self, video_id: str) -> None:
        """Begin another video: segment ids mean something else now."""
        self._video_id, self._category_of = video_id, {}

    def read(self, segments: JsonNode) -> list[dict[str, Any]]:
        """Read the segments of a frame of the video.

        Raises:
            InputError: a field is missing or wrong, an id is listed twice or changes its category.
        """
        infos = self._read_quickly(segments.value)
        return self._read_carefully(segments) if infos is None else infos

    def _read_quickly(self, segments: Any) -> list[dict[str, Any]] | None:
        """None unless all is plain. Types are compared exactly: 1.0 and true equal 1 as keys."""
        if type(segments) is not list:
            return None
        category_of, by_dataset_id, isthing = self._category_of, self._by_dataset_id, self._isthing
        infos, ids = [], set()
        try:
            for segment in segments:
                segment_id, dataset_id = segment["id"], segment["category_id"]
                category, crowd = by_dataset_id[dataset_id], segment.get("iscrowd", 0)
                if (
                    type(segment_id) is not int
                    or segment_id < 1
                    or type(dataset_id) is not int
                    or (crowd != 0 and crowd != 1)
                    or category_of.setdefault(segment_id, category) != category
                ):
                    return None
                info = {
                    "id": segment_id,
                    "category_id": category,
                    "isthing": isthing[category],
                    "iscrowd": crowd == 1,
                }
                if "area" in segment:
                    area = segment["area"]
                    if type(area) is not int or area < 0:
                        return None
                    info["area"] = area
                ids.add(segment_id)
                infos.append(info)
        except (AttributeError, KeyError, TypeError):
            return None
        return infos if len(ids) == len(infos) else None

    def _read_carefully(self, segments: JsonNode) -> list[dict[str, Any]]:
        infos: dict[int, dict[str, Any]] = {}
        for node in segments.elements():
            info = self._read_segment(node)
            segment_id, category = info["id"], info["category_id"]
            if segment_id in infos:
                raise node["id"].error("ids that appear once in a frame", f"{segment_id} again")
            if self._category_of.setdefault(segment_id, category) != category:
                raise node["category_id"].error(
                    f"one category for segment {segment_id} in all of video {self._video_id!r}"
                )
            infos[segment_id] = info
        return list(infos.values())

    def _read_segment(self, node: JsonNode) -> dict[str, Any]:
        category = self._by_dataset_id.get(node["category_id"].whole(least=0))
        if category is None:
            raise node["category_id"].error(
                f"one of the category ids {sorted(self._by_dataset_id)}"
            )
        info = {
            "id": node["id"].whole(least=1),
            "category_id": category,
            "isthing": self._isthing[category],
            "iscrowd": "iscrowd" in node and node["iscrowd"].flag(),
        }
        if "area" in node:
            info["area"] = node["area"].whole(least=0)
        return info
