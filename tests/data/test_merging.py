"""One clip's objects over another's: pixels, ids, and the drawing of the second clip."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vps.data import ClipMapper
from vps.data.augmentation import ClipAugmentation
from vps.data.clip_sampling import make_clip_sampler
from vps.data.loader import ClipDataset
from vps.data.merging import merge_clips
from vps.data.reference_rules import ReferenceRules
from vps.structures import ClipSample, Segment

THING, STUFF = Segment(3, True), Segment(5, False)


def clip(ids: list, color: int, segments: dict, labelled=(True, True)) -> ClipSample:
    """Two frames of one colour."""
    ids = torch.tensor(ids, dtype=torch.int32)
    frames, height, width = ids.shape
    return ClipSample(
        images=torch.full((frames, 3, height, width), color, dtype=torch.uint8),
        ids=ids,
        segments=segments,
        labelled=torch.tensor(labelled),
        frame_ids=["a", "b"],
        video_id=f"video {color}",
    )


def test_the_second_clip_covers_the_first():
    below = clip([[[4, 4, 0]], [[0, 4, 4]]], 10, {4: THING, 9: STUFF})
    above = clip([[[0, 1, 0]], [[1, 1, 0]]], 20, {1: STUFF})
    merged = merge_clips(below, above)
    # Id 9 is listed though hidden, so ids go on behind it, not behind 4.
    assert merged["ids"].tolist() == [[[4, 10, 0]], [[10, 10, 4]]]
    assert merged["images"][:, 1].tolist() == [[[10, 20, 10]], [[20, 20, 10]]]
    assert merged["segments"] == {4: THING, 9: STUFF, 10: STUFF}
    assert merged["video_id"] == "video 10"
    assert below["ids"].tolist() == [[[4, 4, 0]], [[0, 4, 4]]]  # the arguments are left alone


def test_ids_of_two_videos_never_collide():
    below = clip([[[1, 2]], [[1, 2]]], 1, {1: THING, 2: THING})
    above = clip([[[1, 0]], [[2, 0]]], 2, {1: STUFF, 2: THING})
    merged = merge_clips(below, above)
    assert merged["ids"].tolist() == [[[3, 2]], [[4, 2]]]
    assert [merged["segments"][key] for key in (1, 2, 3, 4)] == [THING, THING, STUFF, THING]


@pytest.mark.parametrize(("height", "width"), [(1, 2), (3, 5), (2, 4)])
def test_other_sizes_share_the_corner(height: int, width: int):
    below = clip(np.zeros((2, 2, 4), int).tolist(), 1, {})
    above = clip(np.ones((2, height, width), int).tolist(), 2, {1: THING})
    merged = merge_clips(below, above)
    expected = np.zeros((2, 2, 4), int)
    expected[:, :height, :width] = 1
    assert merged["ids"].tolist() == expected.tolist()
    assert np.array_equal(merged["images"][:, 0].numpy(), expected + 1)


def test_a_frame_that_one_clip_has_no_labels_of_has_none():
    below = clip([[[4]], [[4]]], 1, {4: THING})
    above = clip([[[0]], [[0]]], 2, {}, labelled=(True, False))
    merged = merge_clips(below, above)
    assert merged["labelled"].tolist() == [True, False]
    assert merged["ids"].tolist() == [[[4]], [[0]]]


def test_lengths_must_agree():
    one = clip([[[4]], [[4]]], 1, {4: THING})
    with pytest.raises(ValueError, match="2 and 1"):
        merge_clips(one, {**one, "ids": one["ids"][:1]})


def mapper(probability: float, **rules) -> ClipMapper:
    return ClipMapper(
        clip_sampler=make_clip_sampler("sequence", length=3, max_gap=2, reverse=True),
        augmentation=ClipAugmentation(
            crop_type="absolute", crop_size=(48, 48), min_object_area=20, flip="none"
        ),
        reference_rules=ReferenceRules(min_object_area=20, **rules),
        merge_probability=probability,
    )


def samples(records: list, mapper: ClipMapper, *, seed: int = 0) -> list[ClipSample]:
    dataset = ClipDataset(records, mapper, seed=seed)
    return [dataset[item, draw] for draw, item in enumerate(range(len(dataset)))]


def test_merged_samples_keep_the_rules(shapes_records: list):
    limited = samples(shapes_records, mapper(1.0, max_objects=(3, 2)))
    for sample in limited:
        areas = {key: int((sample["ids"][0] == key).sum()) for key in sample["segments"]}
        assert min(areas.values()) > 20
        assert set(sample["ids"].unique().tolist()) - {0} == set(sample["segments"])
        kinds = [segment.isthing for segment in sample["segments"].values()]
        assert sum(kinds) <= 3
        assert len(kinds) - sum(kinds) <= 2
    assert max(len(sample["segments"]) for sample in limited) == 5


def test_merging_happens_as_often_as_asked(shapes_records: list):
    """A merged sample differs from the same draw unmerged; the draw before it is the same."""

    def count(probability: float) -> int:
        alone = samples(shapes_records, mapper(0.0, max_objects=()))
        mixed = samples(shapes_records, mapper(probability, max_objects=()))
        return sum(not torch.equal(one["images"], two["images"]) for one, two in zip(alone, mixed))

    assert count(0.0) == 0
    assert 0 < count(0.5) < 9
    assert count(1.0) == 9


def test_merged_samples_are_a_function_of_the_draw(shapes_records: list):
    first, again = (samples(shapes_records, mapper(1.0), seed=4) for _ in range(2))
    other = samples(shapes_records, mapper(1.0), seed=5)
    for one, two in zip(first, again):
        assert torch.equal(one["images"], two["images"])
        assert torch.equal(one["ids"], two["ids"])
        assert one["segments"] == two["segments"]
    assert any(not torch.equal(one["ids"], two["ids"]) for one, two in zip(first, other))


def test_a_clip_that_shows_no_object_is_merged(shapes_records: list):
    """Whatever the probability is: with all objects too small, another clip is drawn."""
    picky = mapper(0.0)
    drawn: list[int] = []

    def draw(rng: np.random.Generator):
        drawn.append(1)
        return shapes_records[1], 2

    sample = picky(shapes_records[0], 0, np.random.default_rng(0), draw_item=draw)
    assert not drawn
    assert sample["segments"]
    blind = ClipMapper(
        clip_sampler=make_clip_sampler("static", length=2, max_gap=1, reverse=False),
        reference_rules=ReferenceRules(min_object_area=10**6),
    )
    sample = blind(shapes_records[0], 0, np.random.default_rng(0), draw_item=draw)
    assert len(drawn) == 5  # tried again as long as the other clip is empty too
    assert not sample["segments"]
