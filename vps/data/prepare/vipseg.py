"""VIPSeg as downloaded -> the 720p form that its benchmark and most programs use.

    <source>/imgs/<video>/<frame>.jpg, panomasks/<video>/<frame>.png, {train,val,test}.txt
    <root>/images/<video>/<frame>.jpg          height 720, width int(720 w / h), bilinear
    <root>/panomasks/<video>/<frame>.png       the same for the raw masks, nearest neighbour
    <root>/panomasksRGB/<video>/<frame>.png    segment ids as colours, see ``segment_ids``
    <root>/panoptic_gt_VIPSeg{,_train,_val,_test}.json, panoVIPSeg_categories.json

It is always the height that becomes 720 (the paper says the shorter side), so that portrait videos
get narrower than that. Unlike the public tool this keeps the frames of test videos, which have no
masks, lists them in a JSON of their own, and copies pictures that have the right size as they are.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from vps.data.datasets.vipseg_categories import VIPSEG_CATEGORIES
from vps.data.prepare.findings import Findings
from vps.data.prepare.frame import Entries, Preparation
from vps.data.prepare.panoptic_index import category_entries, segments_info, write_nested_index
from vps.data.prepare.segment_ids import SegmentIds
from vps.data.prepare.sources import list_names, read_list, read_number_image, required_folder
from vps.data.prepare.video_job import VideoJob, VideoResult
from vps.data.prepare.vipseg_coding import decode_raw_mask
from vps.io import atomic_folder, write_json
from vps.io.images import open_image, read_image_size
from vps.structures import InputError, ids_to_rgb

SPLITS = ("train", "val", "test")
FOLDER = "VIPSeg_720P"
HEIGHT = 720
MASK_FOLDERS = ("panomasks", "panomasksRGB")


def vipseg_preparation(source: Path, root: Path, *, height: int = HEIGHT) -> Preparation:
    """The preparation of VIPSeg.

    Args:
        source: the folder as downloaded.
        root: the folder to make, officially ``<source>/VIPSeg_720P``.
        height: of the prepared frames, in pixels; the official sets have 720.

    Raises:
        InputError: ``source`` is not laid out like VIPSeg.
    """
    if height < 1:
        raise InputError(f"expected a height >= 1, got {height}")
    required_folder(source / "imgs", "VIPSeg")
    splits = [split for split in SPLITS if (source / f"{split}.txt").is_file()]
    if not splits:
        raise InputError(f"expected one of {', '.join(SPLITS)} with .txt in {source}, got none")
    jobs = [
        _video_job(source, split, video)
        for split in splits
        for video in sorted(read_list(source / f"{split}.txt"))
    ]
    return Preparation(
        name="vipseg",
        root=root,
        jobs=jobs,
        work=partial(_prepare_video, source, height),
        finish=partial(_write_index, {job.name: job.about["split"] for job in jobs}),
        settings={"height": height},
        index=tuple(f"panoptic_gt_VIPSeg{ending}.json" for ending in ("", "_train", "_val")),
    )


def _video_job(source: Path, split: str, video: str) -> VideoJob:
    folder = source / "imgs" / video
    images = list_names(required_folder(folder, f"VIPSeg ({split}.txt lists {video})"), ".jpg")
    masks = set() if split == "test" else set(list_names(source / "panomasks" / video, ".png"))
    if not images:
        raise InputError(f"expected .jpg frames in {folder}, got none")
    if split != "test" and not masks:
        raise InputError(f"expected masks of the {split} video {video} in panomasks, got none")
    if extra := sorted(masks - set(images)):
        raise InputError(f"mask {source / 'panomasks' / video / extra[0]}.png has no picture")
    sources = [folder / f"{name}.jpg" for name in images]
    sources += [source / "panomasks" / video / f"{name}.png" for name in sorted(masks)]
    return VideoJob(video, tuple(sources), {"split": split, "frames": images})


def _prepare_video(source: Path, height: int, root: Path, job: VideoJob) -> VideoResult:
    findings, ids = Findings(), SegmentIds(VIPSEG_CATEGORIES)
    entry: dict[str, list[dict[str, Any]]] = {"images": [], "annotations": []}
    files: list[str] = []
    video, test = job.name, job.about["split"] == "test"
    with ExitStack() as stack:
        picture_folder, *mask_folders = (
            stack.enter_context(atomic_folder(root / name / video))
            for name in (("images",) if test else ("images", *MASK_FOLDERS))
        )
        for name in job.about["frames"]:
            picture = source / "imgs" / video / f"{name}.jpg"
            mask = source / "panomasks" / video / f"{name}.png"
            if not test and not mask.is_file():
                findings.add("a frame without a mask, which is left out", picture)
                continue
            size = _write_picture(picture, picture_folder / f"{name}.jpg", height)
            files.append(f"images/{video}/{name}.jpg")
            shown = "jpg" if test else "png"  # the official files give pictures their masks' names
            image = {"id": name, "file_name": f"{name}.{shown}"}
            entry["images"].append({**image, "width": size[0], "height": size[1]})
            if test:
                continue
            raw = _resize_mask(mask, picture, size)
            labels, categories = decode_raw_mask(raw, ids, partial(findings.add, path=mask))
            for folder, pixels in zip(mask_folders, (raw.astype(np.uint16), ids_to_rgb(labels))):
                Image.fromarray(pixels).save(folder / f"{name}.png")
            files += [f"{folder}/{video}/{name}.png" for folder in MASK_FOLDERS]
            infos = segments_info(labels, categories)
            entry["annotations"].append(
                {"image_id": name, "file_name": f"{name}.png", "segments_info": infos}
            )
    counts = {
        "frames": len(entry["images"]),
        "labelled frames": len(entry["annotations"]),
        "segments": sum(len(frame["segments_info"]) for frame in entry["annotations"]),
    }
    return VideoResult(files, entry, counts, findings.sentences())


def _write_picture(source: Path, target: Path, height: int) -> tuple[int, int]:
    """Resize a picture; its new (width, height)."""
    image = ImageOps.exif_transpose(open_image(source))
    size = (int(height * image.width / image.height), height)
    if size == image.size:
        shutil.copyfile(source, target)
    else:
        image.convert("RGB").resize(size, Image.Resampling.BILINEAR).save(target)
    return size


def _resize_mask(mask: Path, picture: Path, size: tuple[int, int]) -> np.ndarray:
    image = read_number_image(mask)
    height, width = read_image_size(picture)
    if (width, height) != image.size:
        raise InputError(
            f"expected a mask of {height}x{width} as {picture.name} has, got "
            f"{image.height}x{image.width} in {mask}"
        )
    return np.asarray(image.resize(size, Image.Resampling.NEAREST))


def _write_index(splits: dict[str, str], root: Path, entries: Entries) -> list[str]:
    """Write the JSON files; ``splits`` is {video: split}."""
    chosen = {"": ("train", "val"), **{f"_{split}": (split,) for split in set(splits.values())}}
    written = []
    for ending, members in sorted(chosen.items()):
        videos = sorted(name for name, split in splits.items() if split in members)
        if not videos:
            continue
        name = f"panoptic_gt_VIPSeg{ending}.json"
        write_nested_index(root / name, VIPSEG_CATEGORIES, entries.of(videos))
        written.append(name)
    write_json(root / "panoVIPSeg_categories.json", category_entries(VIPSEG_CATEGORIES))
    return [*written, "panoVIPSeg_categories.json"]
