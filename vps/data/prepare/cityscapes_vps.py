"""Cityscapes-VPS as shipped -> panoptic PNGs of its labelled frames and the JSON that scores need.

    <root>/panoptic_im_<split>_city_vps.json       the labelled frames (shipped)
    <root>/<split>/panoptic_inst, or cls and inst  their labels (shipped)
    <root>/<split>/panoptic_video/*.png            RGB, id = R + 256 G + 65536 B, 0 = void
    <root>/panoptic_gt_<split>_city_vps.json       flat, as COCO's; both are made here

Panoptic PNGs that were shipped are kept: only the JSON is made then. The rules of the conversion
are the official ones: a pixel of a thing that belongs to no instance is void, an instance has the
class that most of its pixels are coloured as.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from vps.data.datasets.cityscapes_categories import CITYSCAPES_CATEGORIES
from vps.data.json_node import JsonNode
from vps.data.prepare.findings import Findings, Report
from vps.data.prepare.frame import Entries, Preparation
from vps.data.prepare.panoptic_index import segments_info, write_flat_index
from vps.data.prepare.segment_ids import SegmentIds
from vps.data.prepare.sources import list_names, read_number_image
from vps.data.prepare.video_job import VideoJob, VideoResult, read_record, record_path
from vps.io import read_image, read_json, read_panoptic_png, write_panoptic_png
from vps.structures import InputError, rgb_to_ids

SPLITS = ("train", "val")
DIVISOR, VOID = 1000, 255  # of panoptic_inst: class, or for things 1000 class + instance
_KINDS = ("panoptic_inst", "cls", "inst", "panoptic_video")


def cityscapes_vps_preparation(root: Path) -> Preparation:
    """The preparation of Cityscapes-VPS, in its own folder.

    Raises:
        InputError: the files of the data set are not there, or a frame has no labels.
    """
    splits = [s for s in SPLITS if _image_list(root, s).is_file()]
    if not splits:
        raise InputError(
            f"expected Cityscapes-VPS in {root}, with {_image_list(root, 'train').name} or "
            f"{_image_list(root, 'val').name}, got neither"
        )
    jobs = [job for split in splits for job in _list_jobs(root, split)]
    return Preparation(
        name="cityscapes_vps",
        root=root,
        jobs=jobs,
        work=_prepare_video,
        finish=partial(_write_index, {job.name: job.about["split"] for job in jobs}),
        index=tuple(f"panoptic_gt_{split}_city_vps.json" for split in SPLITS),
    )


def _image_list(root: Path, split: str) -> Path:
    return root / f"panoptic_im_{split}_city_vps.json"


def _list_jobs(root: Path, split: str) -> list[VideoJob]:
    """One job per video: the first four characters of an image's name."""
    path = _image_list(root, split)
    folders = {
        kind: {_image_id(name): name for name in list_names(root / split / kind, ".png")}
        for kind in _KINDS
    }
    videos: dict[str, list[dict[str, str]]] = {}
    for node in JsonNode(read_json(path), path)["images"].elements():
        file_name = node["file_name"].name()
        image_id = _image_id(Path(file_name).stem)
        frame = {"id": image_id, "file_name": file_name}
        frame |= {kind: names[image_id] for kind, names in folders.items() if image_id in names}
        if "panoptic_inst" not in frame and not {"cls", "inst"} <= frame.keys():
            raise InputError(
                f"expected the labels of {image_id} in {root / split / 'panoptic_inst'}, or in cls "
                "and inst beside it, got none"
            )
        videos.setdefault(image_id[:4], []).append(frame)
    jobs = []
    for video, frames in sorted(videos.items()):
        own = _files_made_before(root, video)
        for frame in frames:
            if f"{split}/panoptic_video/{frame.get('panoptic_video')}.png" in own:
                del frame["panoptic_video"]  # not a shipped one
        sources = [
            root / split / kind / f"{frame[kind]}.png"
            for frame in frames
            for kind in _KINDS
            if kind in frame
        ]
        sources += [root / split / "img" / frame["file_name"] for frame in frames]
        frames.sort(key=lambda frame: frame["id"])
        jobs.append(VideoJob(video, tuple(sources), {"split": split, "frames": frames}))
    return jobs


def _image_id(stem: str) -> str:
    """``VVVV_IIII_<city>_<sequence>_<frame>`` of any of the names that are made from it."""
    return "_".join(stem.split("_")[:5])


def _files_made_before(root: Path, video: str) -> set[str]:
    if not record_path(root, video).is_file():
        return set()
    return set(read_record(root, video).get("files", ()))


def _prepare_video(root: Path, job: VideoJob) -> VideoResult:
    folder, findings, ids = root / job.about["split"], Findings(), SegmentIds(CITYSCAPES_CATEGORIES)
    images, annotations, files = [], [], []
    for frame in job.about["frames"]:
        values, where = _read_values(folder, frame)
        name = frame.get("panoptic_video", frame.get("panoptic_inst", frame.get("cls")))
        path = folder / "panoptic_video" / f"{name}.png"
        if "panoptic_video" in frame:
            labels = read_panoptic_png(path)
            _check_size(labels, values, path)
            categories = _classes_by_majority(labels, values, partial(findings.add, path=path))
        else:
            labels, categories = number_segments(values, ids, partial(findings.add, path=where))
            write_panoptic_png(path, labels)
            files.append(path.relative_to(root).as_posix())
        height, width = labels.shape
        size = {"width": width, "height": height}
        images.append({"id": frame["id"], "file_name": frame["file_name"], **size})
        infos = segments_info(labels, categories)
        annotations.append(
            {"image_id": frame["id"], "file_name": path.name, "segments_info": infos}
        )
    counts = {
        "labelled frames": len(images),
        "segments": sum(len(annotation["segments_info"]) for annotation in annotations),
    }
    entry = {"images": images, "annotations": annotations}
    return VideoResult(files, entry, counts, findings.sentences())


def number_segments(values: np.ndarray, ids: SegmentIds, report: Report) -> tuple[np.ndarray, dict]:
    """Turn numbers as panoptic_inst has them, [H, W], into segment ids.

    Returns:
        ids int32 [H, W] (0 = void) and {id: class}, by ascending number.
    """
    present = np.flatnonzero(np.bincount(values.ravel()))
    lookup = np.zeros(int(present[-1]) + 1, np.int32)
    categories: dict[int, int] = {}
    for value in present.tolist():
        found = read_value(value, report)
        if found is not None:
            lookup[value] = ids.of(*found)
            categories[int(lookup[value])] = found[0]
    return lookup[values], categories


def read_value(value: int, report: Report) -> tuple[int, int | None] | None:
    """(class, instance or None) of a number of panoptic_inst; None: void."""
    if value == VOID:
        return None
    category, instance = divmod(value, DIVISOR) if value >= DIVISOR else (value, None)
    known = category < len(CITYSCAPES_CATEGORIES)
    if known and CITYSCAPES_CATEGORIES[category].isthing == (instance is not None):
        return category, instance
    if known and instance is None:
        report(f"number {value}, a class of things without an instance: void")
    else:
        report(f"number {value}, which stands for nothing: void")
    return None


def _read_values(folder: Path, frame: dict[str, str]) -> tuple[np.ndarray, Path]:
    """Numbers as panoptic_inst has them, and the file that they come from."""
    if "panoptic_inst" in frame:
        path = folder / "panoptic_inst" / f"{frame['panoptic_inst']}.png"
        return np.asarray(read_number_image(path)), path
    path = folder / "cls" / f"{frame['cls']}.png"
    instances = np.asarray(read_number_image(folder / "inst" / f"{frame['inst']}.png"))
    colors = read_image(path)
    _check_size(colors[..., 0], instances, path)
    return combine_class_and_instance(colors, instances), path


def combine_class_and_instance(colors: np.ndarray, instances: np.ndarray) -> np.ndarray:
    """Numbers as panoptic_inst has them, from the two masks that they were made from.

    Args:
        colors: uint8 [H, W, 3], the classes' colours; any other colour is void. (Looking up the
            colour joins look-alikes: a group of poles is pole, a licence plate is car.)
        instances: integers [H, W]; from 1000 on an instance, whose number is the rest by 1000.

    Returns:
        int32 [H, W].
    """
    class_of_color = {
        color[0] + 256 * color[1] + 65536 * color[2]: index
        for index, (_, _, color, _) in enumerate(CITYSCAPES_CATEGORIES)
    }
    shown, place = np.unique(rgb_to_ids(colors), return_inverse=True)
    classes = np.array([class_of_color.get(color, VOID) for color in shown.tolist()])
    classes = classes[place].reshape(instances.shape)
    things = [index for index, category in enumerate(CITYSCAPES_CATEGORIES) if category.isthing]
    values = np.where(np.isin(classes, things), VOID, classes).astype(np.int32)
    for instance in np.unique(instances[instances >= DIVISOR]).tolist():
        region = instances == instance
        category = int(np.bincount(classes[region]).argmax())
        if category in things:
            values[region] = DIVISOR * category + instance % DIVISOR
    return values


def _classes_by_majority(labels: np.ndarray, values: np.ndarray, report: Report) -> dict[int, int]:
    """{id of a shipped PNG: class of most of its pixels}."""
    categories: dict[int, int] = {}
    for segment_id in np.unique(labels[labels > 0]).tolist():
        counts = np.bincount(values[labels == segment_id])
        if np.count_nonzero(counts) > 1:
            report(f"id {segment_id} covers several numbers of panoptic_inst; most pixels decide")
        found = read_value(int(counts.argmax()), report)
        if found is None:
            raise InputError(
                f"id {segment_id} of a panoptic PNG is void in panoptic_inst: its class is unknown"
            )
        categories[segment_id] = found[0]
    return categories


def _check_size(one: np.ndarray, other: np.ndarray, path: Path) -> None:
    if one.shape != other.shape:
        raise InputError(
            f"expected {other.shape[0]}x{other.shape[1]} pixels as in the other labels of the "
            f"frame, got {one.shape[0]}x{one.shape[1]} in {path}"
        )


def _write_index(splits: dict[str, str], root: Path, entries: Entries) -> list[str]:
    """Write the JSON files; ``splits`` is {video: split}."""
    written = []
    for split in SPLITS:
        videos = sorted(video for video, its_split in splits.items() if its_split == split)
        if videos:
            written.append(f"panoptic_gt_{split}_city_vps.json")
            write_flat_index(root / written[-1], CITYSCAPES_CATEGORIES, entries.of(videos))
    return written
