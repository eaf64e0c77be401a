"""Cityscapes-VPS: snippets of 30 frames, of which every fifth is labelled.

    cityscapes_vps/{train,val}/img/<image id>_*.png              the labelled frames
    cityscapes_vps/{train,val}/panoptic_video/*.png              their RGB masks
    cityscapes_vps/panoptic_gt_{train,val}_city_vps.json         flat, made by
                                                                 ``datasets/prepare_cityscapes_vps.py``
    cityscapes_vps/{val,test}/img_all/<name>_leftImg8bit.png     all frames
    cityscapes_vps/im_all_info_{val,test}_city_vps.json          images: [{id, file_name, ...}],
                                                                 id = 10000 video + 1..30
    cityscapes_vps/panoptic_im_test_city_vps.json                the frames to predict

An image id is ``VVVV_IIII_<name>``: video, running number of the labelled frame, and the frame's
name in Cityscapes, ``<city>_<sequence>_<frame>``. Records of val and test hold all frames, those
between the labelled ones unlabelled; records of train hold the labelled ones, for no others are in
the data set, with ``frame_numbers``.
"""

from __future__ import annotations

import logging
import os
from functools import partial
from pathlib import Path
from typing import NamedTuple

from vps.data.catalog import register_panoptic_video, register_videos
from vps.data.datasets.cityscapes_categories import CITYSCAPES_CATEGORIES, CITYSCAPES_SPELLINGS
from vps.data.datasets.frame_numbers import number_frames
from vps.data.datasets.roots import dataset_root
from vps.data.folders import PICTURES, Folders, MissingFileError
from vps.data.json_node import JsonNode
from vps.io import read_json
from vps.io.video_names import first_four
from vps.structures import InputError, VideoRecord

logger = logging.getLogger(__name__)


def register_cityscapes_vps(
    root: str | os.PathLike | None = None, *, name: str = "vps_cityscapes"
) -> None:
    """Register ``<name>_train``, ``_val`` and ``_test``, which lie in ``root`` (cityscapes_vps)."""
    folder = dataset_root(root, "cityscapes_vps")
    for split, finish in (("train", number_frames), ("val", partial(_add_film, folder))):
        register_panoptic_video(
            f"{name}_{split}",
            image_root=folder / split / "img",
            panoptic_root=folder / split / "panoptic_video",
            panoptic_json=folder / f"panoptic_gt_{split}_city_vps.json",
            categories=CITYSCAPES_CATEGORIES,
            flat_names="first4",
            spellings=CITYSCAPES_SPELLINGS,
            finish=finish,
            source_split=f"cityscapes_vps_{split}",
        )
    register_videos(
        f"{name}_test",
        partial(_load_test, folder),
        CITYSCAPES_CATEGORIES,
        image_root=os.fspath(folder / "test" / "img_all"),
        source_split="cityscapes_vps_test",
    )


class _FilmFrame(NamedTuple):
    """A frame of a snippet, labelled or not; its name is that in Cityscapes."""

    name: str
    path: str
    size: tuple[int, int]  # height, width


def _add_film(folder: Path, records: list[VideoRecord]) -> list[VideoRecord]:
    """Put the labelled frames of val into the whole snippets, where these are there."""
    index, images = folder / "im_all_info_val_city_vps.json", folder / "val" / "img_all"
    if not index.exists() or not images.is_dir():
        logger.warning(
            "Cityscapes-VPS val has its labelled frames alone, for %s or %s is missing; models see "
            "nothing in between, and their scores are not those of whole snippets",
            index,
            images,
        )
        return number_frames(records)
    film = _read_film(index, images)
    return [
        _put_into_film(record["video_id"], record["image_ids"], film, index, record)
        for record in records
    ]


def _load_test(folder: Path) -> list[VideoRecord]:
    asked, index = (
        folder / "panoptic_im_test_city_vps.json",
        folder / "im_all_info_test_city_vps.json",
    )
    for path in (asked, index):
        if not path.exists():
            raise InputError(
                f"{path} does not exist; it is shipped with Cityscapes-VPS (datasets/README.md); "
                "does DETECTRON2_DATASETS name the parent folder of the data set?"
            )
    film = _read_film(index, folder / "test" / "img_all")
    videos: dict[str, list[str]] = {}
    for node in JsonNode(read_json(asked), asked)["images"].elements():
        image_id = node["id"].name()
        videos.setdefault(first_four(image_id), []).append(image_id)
    if not videos:
        raise InputError(f"expected images in {asked}, got none")
    return [_put_into_film(video, ids, film, index) for video, ids in videos.items()]


def _read_film(index: Path, images: Path) -> dict[str, list[_FilmFrame]]:
    """{video id: its frames in the order of time}."""
    numbered: dict[int, _FilmFrame] = {}
    folders = Folders()
    for node in JsonNode(read_json(index), index)["images"].elements():
        number = node["id"].whole(least=10001)
        if number in numbered:
            raise node["id"].error("an id that appears once", f"{number} a second time")
        try:
            path = folders.find(images, node["file_name"].name(), PICTURES)
        except MissingFileError as error:
            raise node["file_name"].error("a file that exists", error.found) from error
        name = Path(path).stem.removesuffix("_leftImg8bit")
        size = (node["height"].whole(least=1), node["width"].whole(least=1))
        numbered[number] = _FilmFrame(name, path, size)
    film: dict[str, list[_FilmFrame]] = {}
    for number, frame in sorted(numbered.items()):
        film.setdefault(f"{number // 10000:04d}", []).append(frame)
    return film


def _put_into_film(
    video_id: str,
    image_ids: list[str],
    film: dict[str, list[_FilmFrame]],
    index: Path,
    labelled: VideoRecord | None = None,
) -> VideoRecord:
    """A record of all frames of a snippet; those of ``image_ids`` have the labels of
    ``labelled``, if there are any, and are the ones that the benchmark asks for.
    """
    frames = film.get(video_id, [])
    place = {frame.name: t for t, frame in enumerate(frames)}
    missing = [i for i in image_ids if _cityscapes_name(i) not in place]
    if missing:
        raise InputError(
            f"expected frame {_cityscapes_name(missing[0])} of video {video_id} in {index}, got "
            f"{len(frames)} frames of that video without it"
        )
    sizes = {frame.size for frame in frames}
    if labelled is not None:
        sizes.add((labelled["height"], labelled["width"]))
    if len(sizes) > 1:
        raise InputError(
            f"expected frames of one size (height, width) in video {video_id} of {index} and in "
            f"its labels, got {sorted(sizes)}"
        )
    ((height, width),) = sizes
    count = len(frames)
    record = VideoRecord(
        video_id=video_id,
        height=height,
        width=width,
        length=count,
        file_names=[frame.path for frame in frames],
        image_ids=[frame.name for frame in frames],
        labelled=[False] * count,
        pan_seg_file_names=[None] * count,
        segments_infos=[None] * count,
        output_frames=[False] * count,
    )
    for number, image_id in enumerate(image_ids):
        t = place[_cityscapes_name(image_id)]
        record["image_ids"][t] = image_id
        record["output_frames"][t] = True
        if labelled is not None:
            for key in ("labelled", "pan_seg_file_names", "segments_infos"):
                record[key][t] = labelled[key][number]
    return record


def _cityscapes_name(image_id: str) -> str:
    """``0005_0025_frankfurt_000000_001736`` is ``frankfurt_000000_001736``."""
    return "_".join(image_id.split("_")[2:])
