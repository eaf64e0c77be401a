"""DAVIS 2016 (480p) -> a panoptic data set: one thing per sequence, ``object``, over background.

<source>/JPEGImages/480p/<sequence>/<frame>.jpg, Annotations/480p/<sequence>/<frame>.png
<root>/{images,panoptic}/<sequence>/..., <root>/panoptic.json      the project's own layout
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vps.data.datasets.davis2016 import DAVIS2016_CATEGORIES
from vps.data.folders import subfolders
from vps.data.panoptic_video_files import IMAGES, INDEX, PANOPTIC, SourceFrame, write_frames
from vps.data.prepare.frame import Entries, Preparation
from vps.data.prepare.panoptic_index import write_nested_index
from vps.data.prepare.sources import list_names
from vps.data.prepare.video_job import VideoJob, VideoResult
from vps.io import atomic_folder
from vps.io.images import open_image
from vps.structures import InputError, PanopticFrame, Segment

BACKGROUND_ID, OBJECT_ID = 1, 2


def davis2016_vps_preparation(source: Path, root: Path, frames: slice) -> Preparation:
    """The preparation of one split.

    Args:
        source: the folder with JPEGImages/480p and Annotations/480p.
        root: the folder of the split.
        frames: which frames of every sequence.

    Raises:
        InputError: ``source`` is not laid out like DAVIS 2016, or a sequence is too short.
    """
    images = source / "JPEGImages" / "480p"
    if not images.is_dir():
        raise InputError(f"expected DAVIS 2016 in {source}, but there is no folder {images}")
    jobs = []
    for sequence in subfolders(images):
        names = list_names(images / sequence, ".jpg")
        if not names:
            raise InputError(f"sequence {images / sequence} has no .jpg")
        if not names[frames]:
            raise InputError(f"sequence {sequence} of {source} has only {len(names)} frames")
        sources = [images / sequence / f"{name}.jpg" for name in names[frames]]
        masks = source / "Annotations" / "480p" / sequence
        sources += [masks / f"{name}.png" for name in names[frames]]
        jobs.append(VideoJob(sequence, tuple(sources)))
    if not jobs:
        raise InputError(f"folder {images} has no sequences")
    return Preparation(
        name=f"davis2016_vps/{root.name}",
        root=root,
        jobs=jobs,
        work=_prepare_sequence,
        finish=_write_index,
    )


def _prepare_sequence(root: Path, job: VideoJob) -> VideoResult:
    with (
        atomic_folder(root / IMAGES / job.name) as images,
        atomic_folder(root / PANOPTIC / job.name) as masks,
    ):
        entry = write_frames(images, masks, job.name, _read_frames(job), DAVIS2016_CATEGORIES)
    images, annotations = entry.video["images"], entry.annotations["annotations"]
    files = [f"{IMAGES}/{job.name}/{image['file_name']}" for image in images]
    files += [f"{PANOPTIC}/{job.name}/{annotation['file_name']}" for annotation in annotations]
    content = {"images": images, "annotations": annotations}
    return VideoResult(files, content, {"frames": len(images)})


def _read_frames(job: VideoJob) -> Iterator[SourceFrame]:
    count = len(job.sources) // 2
    for image, mask in zip(job.sources[:count], job.sources[count:]):
        labels = np.asarray(open_image(mask))
        # The object is 255 in the original files and palette index 1 in others.
        if labels.ndim != 2:
            raise InputError(f"expected a mask of one channel, got {list(labels.shape)} in {mask}")
        ids = np.where(labels > 0, OBJECT_ID, BACKGROUND_ID).astype(np.int32)
        segments = {BACKGROUND_ID: Segment(0, False), OBJECT_ID: Segment(1, True)}
        present = {segment_id: segments[segment_id] for segment_id in np.unique(ids).tolist()}
        yield SourceFrame(image.stem, image, PanopticFrame(image.stem, ids, present))


def _write_index(root: Path, entries: Entries) -> list[str]:
    write_nested_index(root / INDEX, DAVIS2016_CATEGORIES, entries)
    return [INDEX]
