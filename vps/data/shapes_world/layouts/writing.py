"""Writing Shapes-VPS in another data set's layout: all splits at once, complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vps.data.prepare import Preparation, run_preparation
from vps.data.prepare.cityscapes_vps import cityscapes_vps_preparation
from vps.data.prepare.viper import viper_preparation
from vps.data.prepare.viposeg import viposeg_preparation
from vps.data.prepare.vipseg import FOLDER as VIPSEG_FOLDER
from vps.data.prepare.vipseg import vipseg_preparation
from vps.data.shapes_world.dataset import ShapesSplit
from vps.data.shapes_world.layouts import cityscapes_vps, object_folders, viper, viposeg, vipseg
from vps.data.shapes_world.layouts.video import LayoutVideo
from vps.io import atomic_folder, read_json, write_json
from vps.structures import InputError

MARKER = "shapes_world.json"


@dataclass(frozen=True)
class Layout:
    """An on-disk form.

    Attributes:
        folder: what the data set's folder is called below $DETECTRON2_DATASETS.
        splits: {"train", "val" or "test": (videos, frames)} by default.
        write_video: (root, video) -> what the tables need to know of it, as JSON has it.
        write_tables: (root, {split: what write_video gave}) writes the JSON and text files.
        prepare: (folder in the raw form, folder to prepare, height of the frames) -> what the
            script of ``datasets/`` does with the raw form, where there is one.
        in_place: the prepared files lie in the same folder as the raw ones.
        raw_folder: what the folder of the raw form is called, where it is another one.
    """

    folder: str
    splits: Mapping[str, tuple[int, int]]
    write_video: Callable[[Path, LayoutVideo], dict[str, Any]]
    write_tables: Callable[[Path, dict[str, list[dict[str, Any]]]], None]
    prepare: Callable[[Path, Path, int], Preparation] | None = None
    in_place: bool = False
    raw_folder: str | None = None

    def folder_of(self, *, raw: bool) -> str:
        """The name of the folder of either form."""
        return self.raw_folder if raw and self.raw_folder else self.folder


LAYOUTS: dict[str, Layout] = {
    "cityscapes_vps": Layout(
        "cityscapes_vps",
        {"train": (20, 30), "val": (4, 30), "test": (2, 30)},
        cityscapes_vps.write_video,
        cityscapes_vps.write_tables,
        lambda source, root, height: cityscapes_vps_preparation(root),
        in_place=True,
    ),
    "viper": Layout(
        "viper_vps",
        {"train": (60, 8), "val": (8, 15)},
        viper.write_video,
        viper.write_tables,
        lambda source, root, height: viper_preparation(source, root),
        raw_folder="VIPER",
    ),
    "vipseg": Layout(
        "VIPSeg",
        {"train": (60, 8), "val": (8, 10), "test": (2, 10)},
        vipseg.write_video,
        vipseg.write_tables,
        lambda source, root, height: vipseg_preparation(
            source, root / VIPSEG_FOLDER, height=height
        ),
        in_place=True,
    ),
    "viposeg": Layout(
        "VIPOSeg",
        {"train": (60, 8), "val": (8, 10)},
        viposeg.write_video,
        viposeg.write_tables,
        lambda source, root, height: viposeg_preparation(root),
        in_place=True,
    ),
    "davis": Layout(
        "DAVIS",
        {"train": (60, 8), "val": (8, 10), "test": (2, 10)},
        object_folders.write_davis_video,
        object_folders.write_davis_lists,
    ),
    "ytvos": Layout(
        "YouTubeVOS",
        {"train": (60, 8), "val": (8, 10)},
        object_folders.write_youtube_vos_video,
        object_folders.write_youtube_vos_tables,
    ),
}

# Videos and frames of the project's own layout, which ``write_shapes_split`` writes.
_SHAPES_SPLITS = {"train": (200, 6), "val": (12, 12)}


def default_splits(
    layout: str,
    *,
    seed: int = 0,
    videos: int | None = None,
    frames: int | None = None,
    val_videos: int | None = None,
    val_frames: int | None = None,
    **common: Any,
) -> dict[str, ShapesSplit]:
    """The splits of a layout, or of "shapes"; ``common`` goes to every ``ShapesSplit``.

    None takes the layout's own number. The numbers given for val count for test as well.
    """
    chosen = {"train": (videos, frames), "val": (val_videos, val_frames)}
    splits = {}
    own_splits = _SHAPES_SPLITS if layout == "shapes" else LAYOUTS[layout].splits
    for number, (name, numbers) in enumerate(own_splits.items()):
        count, length = (
            own if wanted is None else wanted
            for own, wanted in zip(numbers, chosen.get(name, chosen["val"]))
        )
        splits[name] = ShapesSplit((seed, number), videos=count, frames=length, **common)
    return splits


def write_layout(
    root: str | os.PathLike,
    layout: str,
    splits: Mapping[str, ShapesSplit],
    *,
    raw: bool = False,
    workers: int = 1,
    progress: Callable[[], object] = lambda: None,
) -> None:
    """Write the splits to ``root``, which appears when all of it is there.

    Args:
        root: the data set's folder. One that this function made is replaced.
        layout: a name of ``LAYOUTS``.
        splits: what to write; a split that is left out is written empty or not at all.
        raw: leave the raw form for a preparation script of ``datasets/``, where there is one.
        workers: number of processes; the files do not depend on it.
        progress: called after every video.

    Raises:
        InputError: ``root`` holds something that this function did not make.
    """
    form = LAYOUTS[layout]
    if any(split.labelled_every != 1 for split in splits.values()):
        raise InputError(f"layout {layout} says itself which frames are labelled: leave it at 1")
    _check_replaceable(Path(root))
    with atomic_folder(root) as temporary, ExitStack() as stack:
        source = temporary
        if form.prepare is not None and not raw and not form.in_place:
            kept_beside = TemporaryDirectory(prefix=f"{temporary.name}.", dir=temporary.parent)
            source = Path(stack.enter_context(kept_beside))
        _write_raw(source, form, splits, workers, progress)
        if form.prepare is not None and not raw:
            height = max(split.height for split in splits.values())
            run_preparation(form.prepare(source, temporary, height), workers=workers)
        options = {name: asdict(split) for name, split in splits.items()}
        write_json(temporary / MARKER, {"layout": layout, "raw": raw, "splits": options}, indent=1)


def _write_raw(
    root: Path,
    form: Layout,
    splits: Mapping[str, ShapesSplit],
    workers: int,
    progress: Callable[[], object],
) -> None:
    videos = [LayoutVideo(s, v, split) for s, split in splits.items() for v in range(split.videos)]
    entries: dict[str, list[dict[str, Any]]] = {split: [] for split in splits}
    with ProcessPoolExecutor(workers) if workers > 1 else nullcontext() as pool:
        write = partial(form.write_video, root)
        for video, entry in zip(videos, (map if pool is None else pool.map)(write, videos)):
            entries[video.split].append(entry)
            progress()
    form.write_tables(root, entries)


def _check_replaceable(root: Path) -> None:
    """Refuse to replace a folder of somebody's data."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return
    if not (root / MARKER).is_file() or "layout" not in read_json(root / MARKER):
        raise InputError(
            f"expected {root} to be absent, empty or made by this tool (with a {MARKER}), got "
            "other files, which would be replaced; choose another --root"
        )
