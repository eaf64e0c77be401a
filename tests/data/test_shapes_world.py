"""Shapes-VPS: repeatable, richly labelled, and too hard for tracking by overlap."""

from __future__ import annotations

import filecmp
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from overlap_tracker import count_identity_switches

from vps.data.shapes_world import (
    SHAPES_CATEGORIES,
    ShapesSplit,
    ShapesWorld,
    write_shapes_split,
)
from vps.data.shapes_world.outlines import outline_distance
from vps.structures import InputError

FRAMES = 12


@pytest.fixture(scope="module")
def videos() -> list[list]:
    """Six videos of twelve labelled frames, as the validation split has them."""
    worlds = [ShapesWorld((0, 1, video), things=4 + video % 5) for video in range(6)]
    return [[world.render(t)[1] for t in range(FRAMES)] for world in worlds]


def test_a_frame_depends_on_seed_and_time_alone():
    one, two = ShapesWorld(7), ShapesWorld(7)
    for t in (0, 1, 2):
        one.render(t)
    image, frame = one.render(3)
    again, frame_again = two.render(3)
    assert np.array_equal(image, again)
    assert np.array_equal(frame.ids, frame_again.ids)
    assert frame.segments == frame_again.segments
    assert not np.array_equal(image, ShapesWorld(8).render(3)[0])


def test_same_seed_same_bytes_for_any_number_of_processes(tmp_path: Path):
    split = ShapesSplit((3,), videos=2, frames=2, height=48, width=64)
    for name, workers in (("one", 1), ("two", 2)):
        write_shapes_split(tmp_path / name, split, workers=workers)
    files = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 1 + 2 * 2 * 2
    same, differing, missing = filecmp.cmpfiles(
        tmp_path / "one", tmp_path / "two", files, shallow=False
    )
    assert len(same) == len(files)
    assert not differing and not missing


def test_a_split_that_fails_leaves_nothing(tmp_path: Path):
    def interrupt():
        raise KeyboardInterrupt

    split = ShapesSplit((3,), videos=2, frames=1, height=48, width=64)
    with pytest.raises(KeyboardInterrupt):
        write_shapes_split(tmp_path / "split", split, progress=interrupt)
    assert not list(tmp_path.iterdir())


def test_all_classes_and_void_appear(videos: list[list]):
    things = [c for c in SHAPES_CATEGORIES if c.isthing]
    assert len(things) >= 4
    assert len(SHAPES_CATEGORIES) - len(things) >= 4
    frames = [frame for video in videos for frame in video]
    seen = {segment.category for frame in frames for segment in frame.segments.values()}
    assert seen == set(range(len(SHAPES_CATEGORIES)))
    void = np.array([(frame.ids == 0).mean() for frame in frames])
    assert void.min() > 0.005
    assert void.max() < 0.15


def test_labels_agree_with_their_table(videos: list[list]):
    for video in videos:
        categories: dict[int, int] = {}
        for frame in video:
            present, counts = np.unique(frame.ids, return_counts=True)
            areas = {key: s.area for key, s in frame.segments.items()}
            assert areas == {k: n for k, n in zip(present.tolist(), counts.tolist()) if k != 0}
            for key, segment in frame.segments.items():
                assert segment.isthing == SHAPES_CATEGORIES[segment.category].isthing
                assert categories.setdefault(key, segment.category) == segment.category


def test_look_alikes_cross(videos: list[list]):
    """In every video two things of one class swap sides, and touch or hide each other meanwhile."""
    for number, video in enumerate(videos):
        world = ShapesWorld((0, 1, number), things=4 + number % 5)
        pairs = [
            (one, two)
            for one in world.things
            for two in world.things
            if one.segment_id < two.segment_id
            and one.category == two.category
            and np.array_equal(one.surface.color, two.surface.color)
            and one.radius == two.radius
        ]
        assert pairs
        one, two = pairs[0]
        assert (one.surface.pattern, one.surface.angle) != (two.surface.pattern, two.surface.angle)
        apart = [one.path.position(t) - two.path.position(t) for t in range(len(video))]
        assert min(a @ b for a, b in pairwise(apart)) < 0  # the direction turned round


def test_things_leave_and_come_back_with_their_id(videos: list[list]):
    returned = 0
    for video in videos:
        for key in {k for frame in video for k, s in frame.segments.items() if s.isthing}:
            seen = [t for t, frame in enumerate(video) if key in frame.segments]
            returned += seen[-1] - seen[0] >= len(seen)
    assert returned >= 3


def test_there_are_small_and_large_things(videos: list[list]):
    areas = [s.area for video in videos for f in video for s in f.segments.values() if s.isthing]
    sides = np.sqrt(areas)
    assert (sides < 12).mean() > 0.05
    assert (sides > 25).mean() > 0.1


def test_color_hints_at_the_class_and_does_not_decide_it():
    """The best guess by the order of a colour's channels is better than chance and often wrong."""
    things = [
        (int(np.argmax(t.surface.color)) * 3 + int(np.argmin(t.surface.color)), t.category)
        for v in range(60)
        for t in ShapesWorld(v).things
    ]
    counts = np.zeros((9, 4), dtype=int)
    np.add.at(counts, tuple(np.transpose(things)), 1)
    share_right = counts.max(axis=1).sum() / len(things)
    assert 0.4 < share_right < 0.95


def test_overlap_alone_loses_identities(videos: list[list]):
    switches, chances = zip(*(count_identity_switches(video) for video in videos))
    assert sum(chances) > 200
    assert sum(switches) > 0.2 * sum(chances)


def test_overlap_follows_things_that_hardly_move():
    """The witness of the test above: the same tracker loses nothing where nothing moves."""
    frame = ShapesWorld(3).render(0)[1]
    switches, chances = count_identity_switches([frame] * 4)
    assert switches == 0
    assert chances > 0


@pytest.mark.parametrize("shape", range(4))
def test_edges_are_anti_aliased_and_labels_follow_the_centre(shape: int):
    """Coverage by distance agrees with drawing 8 times as large and averaging."""
    radius, fine = 14.0, 8
    axis = (np.arange(40 * fine) + 0.5) / fine - 20.3
    u, v = np.meshgrid(axis, axis + 0.15)
    inside = outline_distance(shape, u, v, radius) < 0
    expected = inside.reshape(40, fine, 40, fine).mean(axis=(1, 3))
    axis = np.arange(40) + 0.5 - 20.3
    u, v = np.meshgrid(axis, axis + 0.15)
    distance = outline_distance(shape, u, v, radius)
    covered = np.clip(0.5 - distance, 0, 1)
    assert np.abs(covered - expected).mean() < 0.006
    assert ((covered > 0.1) & (covered < 0.9)).sum() > 40  # an edge of many shades
    assert np.hypot(u, v)[distance < 0].max() <= radius + 1e-6


def test_size_scales_the_world():
    small, large = ShapesWorld(4), ShapesWorld(4, height=256, width=384)
    small_ids, large_ids = small.render(2)[1].ids, large.render(2)[1].ids
    assert large_ids.shape == (256, 384)
    assert (large_ids[1::2, 1::2] == small_ids).mean() > 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"height": 8}, "at least 32x32 pixels, got 8x192"),
        ({"things": -1}, "got -1"),
    ],
)
def test_bad_worlds(arguments: dict, message: str):
    with pytest.raises(InputError, match=message):
        ShapesWorld(0, **arguments)


def test_tool_makes_both_splits_and_names_bad_options(load_script, tmp_path: Path, capsys):
    main = load_script("datasets/make_shapes.py").main
    size = ["--root", str(tmp_path / "out"), "--workers", "1", "--height", "48", "--width", "64"]
    short = ["--videos", "1", "--frames", "2", "--val-videos", "1", "--val-frames", "1"]
    assert main([*size, *short, "--things", "2-3", "--labelled-every", "2"]) == 0
    made = (tmp_path / "out").rglob("*.*")
    assert sorted(str(path.relative_to(tmp_path / "out")) for path in made) == [
        "train/images/0000/00000.jpg",
        "train/images/0000/00001.jpg",
        "train/panoptic.json",
        "train/panoptic/0000/00000.png",
        "val/images/0000/00000.jpg",
        "val/panoptic.json",
        "val/panoptic/0000/00000.png",
    ]
    capsys.readouterr()
    assert main([*size, "--videos", "0"]) == 2
    assert capsys.readouterr().err == "error: expected videos >= 1, got 0\n"
