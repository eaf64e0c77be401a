"""What a world that was written in some layout must come back as."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from vps.data.shapes_world.dataset import ShapesSplit, open_world
from vps.data.shapes_world.layouts import default_splits, write_layout
from vps.structures import PanopticFrame

HEIGHT, WIDTH = 48, 64


def make_splits(layout: str, *, frames: int, videos: int = 2) -> dict[str, ShapesSplit]:
    """Tiny splits of a layout."""
    return default_splits(
        layout,
        seed=4,
        videos=videos,
        frames=frames,
        val_videos=videos,
        val_frames=frames,
        height=HEIGHT,
        width=WIDTH,
    )


def make_layout(
    root: Path, layout: str, *, frames: int, videos: int = 2, raw: bool = False
) -> Path:
    """Write a tiny layout to ``root``."""
    splits = make_splits(layout, frames=frames, videos=videos)
    write_layout(root, layout, splits, raw=raw)
    return root


def draw(split: ShapesSplit, video: int, times: Iterable[float]) -> list[PanopticFrame]:
    """The labels of frames as they are drawn."""
    world = open_world(split, video)
    return [world.render(t)[1] for t in times]


def check_video(
    drawn: list[PanopticFrame],
    loaded: list[PanopticFrame],
    class_of: Callable[[int], int | None],
) -> dict[int, int]:
    """Assert that ``loaded`` shows the regions, classes and identities of ``drawn``.

    Args:
        class_of: the category of ``loaded`` for one of Shapes-VPS; None: it is background there.

    Returns:
        {id of the drawing: id that was loaded}.
    """
    assert len(drawn) == len(loaded) > 0
    id_of: dict[int, int] = {}
    for expected, frame in zip(drawn, loaded):
        assert frame.ids.shape == expected.ids.shape
        kept = {k: s for k, s in expected.segments.items() if class_of(s.category) is not None}
        background = ~np.isin(expected.ids, list(kept))
        assert (frame.ids[background] == 0).all()
        for segment_id, segment in kept.items():
            found = np.unique(frame.ids[expected.ids == segment_id])
            assert len(found) == 1
            assert id_of.setdefault(segment_id, int(found[0])) == found[0]
            other = frame.segments[int(found[0])]
            assert (other.category, other.isthing) == (class_of(segment.category), segment.isthing)
        assert len(frame.segments) == len(kept)
    assert len(set(id_of.values())) == len(id_of)
    assert 0 not in id_of.values()
    return id_of


def number_in_order(drawn: list[PanopticFrame], categories: Iterable[int]) -> dict[int, int]:
    """{id of the drawing: 1, 2, ... in the order of appearance} of the segments of categories."""
    wanted = set(categories)
    ids = [
        segment_id
        for frame in drawn
        for segment_id, segment in sorted(frame.segments.items())
        if segment.category in wanted
    ]
    return {segment_id: n + 1 for n, segment_id in enumerate(dict.fromkeys(ids))}


def read_manifest(root: Path) -> dict:
    """The manifest of a preparation."""
    return json.loads((root / "manifest.json").read_text())


def list_files(root: Path) -> dict[str, bytes]:
    """{name: content} of all files below ``root``."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
