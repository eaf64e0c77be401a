"""Which source reads a registered data set: its metadata tells."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from vps.d2.data import MetadataCatalog
from vps.data.catalog import dataset_categories, load_dataset
from vps.data.check.object_folders import DavisFolders, ObjectFolders
from vps.data.check.panoptic_index import PanopticIndex
from vps.data.check.records import RecordSource
from vps.data.check.sources import Source
from vps.io.video_names import VIDEO_NAMES

_PANOPTIC = ("image_root", "panoptic_root", "panoptic_json")


def find_source(name: str) -> Source:
    """The source of a registered data set; that of its records, where its layout is not known here.

    Raises:
        InputError: no data set has this name.
    """
    categories = dataset_categories(name)
    metadata = MetadataCatalog.get(name)
    roots = [metadata.get(key) for key in _PANOPTIC]
    if all(roots):
        flat_names = metadata.get("flat_names")
        return PanopticIndex(
            *roots,
            categories,
            video_of=None if flat_names is None else VIDEO_NAMES[flat_names],
            spellings=metadata.get("spellings"),
        )
    images, split = Path(metadata.get("image_root", "")), metadata.get("source_split", "")
    if images.name == "JPEGImages" and metadata.evaluator_type in ("viposeg", "youtube_vos"):
        # The film between the listed frames of YouTube-VOS has a folder of pictures of its own.
        folder = images.parent.with_name(images.parent.name.removesuffix("_all_frames"))
        return ObjectFolders(
            folder,
            categories,
            given=folder.name == "valid",
            classes=metadata.evaluator_type == "viposeg",
        )
    if images.parent.name == "JPEGImages" and metadata.evaluator_type == "davis":
        return DavisFolders(
            images.parent.parent,
            categories,
            year=metadata.davis_year,
            split=split.partition("_")[2].replace("_", "-"),
            resolution=images.name,
        )
    # 255 in an index PNG is void, as VideoRecord has it.
    return RecordSource(name, partial(load_dataset, name), categories, void_label=True)
