"""Read panoptic results back from a folder, one PNG at a time.

The layout is that of ``vps.io.panoptic_result_writer``, in one of its forms with a level of videos.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vps.io.files import read_json
from vps.io.panoptic import check_ids, read_panoptic_png
from vps.io.panoptic_result_writer import PANOPTIC_FORMS
from vps.structures import Category, InputError, PanopticFrame, Segment


class PanopticResults:
    """Results read back from a folder: a mapping in all but name from video id to video.

    Attributes:
        categories: of the data set, contiguous.
        videos: {video id: ResultVideo}, in the order of the JSON.
    """

    def __init__(self, categories: list[Category], videos: dict[str, ResultVideo]) -> None:
        self.categories = categories
        self.videos = videos


class ResultVideo:
    """The frames of one video; iterating reads one PNG at a time and yields PanopticFrames."""

    def __init__(
        self,
        video_id: str,
        folder: Path,
        annotations: list[dict[str, Any]],
        contiguous: dict[int, tuple[int, bool]],
    ) -> None:
        self.video_id = video_id
        self._folder = folder
        self._annotations = annotations
        self._contiguous = contiguous

    @property
    def frame_ids(self) -> list[str]:
        return [annotation["image_id"] for annotation in self._annotations]

    def __len__(self) -> int:
        return len(self._annotations)

    def __iter__(self) -> Iterator[PanopticFrame]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> PanopticFrame:
        annotation = self._annotations[index]
        path = self._folder / annotation["file_name"]
        segments = {}
        for info in annotation["segments_info"]:
            if info["category_id"] not in self._contiguous:
                raise InputError(
                    f"category_id {info['category_id']} of segment {info['id']} of {path} is none "
                    f"of the {len(self._contiguous)} categories of the JSON"
                )
            category, isthing = self._contiguous[info["category_id"]]
            segments[info["id"]] = Segment(
                category,
                isthing,
                score=info.get("score", 1.0),
                iscrowd=bool(info.get("iscrowd", 0)),
                area=info.get("area"),
            )
        ids = read_panoptic_png(path)
        check_ids(ids, segments, str(path))
        return PanopticFrame(annotation["image_id"], ids, segments)


def read_results(folder: str | os.PathLike) -> PanopticResults:
    """Read what a PanopticResultWriter wrote in the forms "panoptic" and "vipseg". Only the JSON is
    read here; the PNGs follow one by one.

    Raises:
        InputError: there is no JSON or a field is missing; later, while iterating: a PNG is missing
            or disagrees with the JSON.
    """
    folder = Path(folder)
    forms = [form for form in PANOPTIC_FORMS.values() if form.nested]
    found = [form for form in forms if (folder / form.json_name).is_file()]
    if not found:
        names = " or ".join(form.json_name for form in forms)
        raise InputError(f"expected panoptic results ({names}) in {folder}, got neither")
    png_folder, json_name = found[0].png_folder, found[0].json_name
    content = read_json(folder / json_name)
    try:
        categories = [
            Category(c["name"], bool(c["isthing"]), tuple(c["color"]), c["id"])
            for c in content["categories"]
        ]
        contiguous = {c.dataset_id: (index, c.isthing) for index, c in enumerate(categories)}
        videos = {
            video["video_id"]: ResultVideo(
                video["video_id"],
                folder / png_folder / video["video_id"],
                video["annotations"],
                contiguous,
            )
            for video in content["annotations"]
        }
    except (KeyError, TypeError) as error:
        raise InputError(
            f"expected panoptic results in {folder / json_name}, but the field {error} is missing"
        ) from error
    return PanopticResults(categories, videos)
