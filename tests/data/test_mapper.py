"""ClipSamples: shapes, dtypes, segments, unlabelled frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vps.data import ClipMapper
from vps.data.augmentation import ClipAugmentation
from vps.data.clip_sampling import make_clip_sampler
from vps.data.mapper import FrameCache
from vps.io import read_ground_truth, read_image
from vps.structures import ClipSample

PAIR = make_clip_sampler("pair", length=2, max_gap=2, reverse=False)
AUGMENTATION = ClipAugmentation(
    short_edge=(48, 64, 80),
    max_size=120,
    crop_type="absolute",
    crop_size=(40, 48),
    color_jitter=0.3,
)


def equal(one: ClipSample, two: ClipSample) -> bool:
    return all(
        torch.equal(one[key], two[key]) if torch.is_tensor(one[key]) else one[key] == two[key]
        for key in one
    )


def test_without_augmentation_a_sample_is_what_is_on_disk(shapes_records: list):
    record = shapes_records[0]
    sample = ClipMapper(clip_sampler=PAIR)(record, 2, np.random.default_rng(0))
    frames = [record["image_ids"].index(frame_id) for frame_id in sample["frame_ids"]]
    assert frames[0] == 2
    assert frames[1] in (0, 4)
    assert sample["video_id"] == "0000"
    truths = [read_ground_truth(record, t) for t in frames]
    for position, t in enumerate(frames):
        image = read_image(record["file_names"][t]).transpose(2, 0, 1)
        assert np.array_equal(sample["images"][position].numpy(), image)
        assert np.array_equal(sample["ids"][position].numpy(), truths[position].ids)
    union = {**truths[0].segments, **truths[1].segments}
    assert sample["segments"] == {key: s._replace(area=None) for key, s in union.items()}


@pytest.mark.parametrize("seed", range(6))
def test_shapes_and_dtypes_of_an_augmented_sample(shapes_records: list, seed: int):
    mapper = ClipMapper(clip_sampler=PAIR, augmentation=AUGMENTATION)
    sample = mapper(shapes_records[1], 2, np.random.default_rng(seed))
    assert sample["images"].shape == (2, 3, 40, 48)
    assert sample["images"].dtype == torch.uint8
    assert sample["images"].is_contiguous()
    assert sample["ids"].shape == (2, 40, 48)
    assert sample["ids"].dtype == torch.int32
    assert sample["ids"].is_contiguous()
    assert sample["labelled"].tolist() == [True, True]
    assert sample["labelled"].dtype == torch.bool
    assert set(sample["ids"].unique().tolist()) - {0} == set(sample["segments"])


def test_a_sample_is_a_function_of_its_generator(shapes_records: list):
    mappers = [
        ClipMapper(clip_sampler=PAIR, augmentation=AUGMENTATION, cache_mb=megabytes)
        for megabytes in (0, 1)
    ]
    for _ in range(2):  # the second time from the cache
        samples = [m(shapes_records[0], 2, np.random.default_rng(5)) for m in mappers]
        assert equal(*samples)
    assert not equal(samples[0], mappers[0](shapes_records[0], 2, np.random.default_rng(6)))


def test_unlabelled_frames_have_no_ids(shapes_records: list):
    """Frames 1, 3, 5 carry no labels; a sampler of neighbours takes one nevertheless."""
    mapper = ClipMapper(clip_sampler=lambda labelled, target, rng: [target, target + 1])
    sample = mapper(shapes_records[0], 2, np.random.default_rng(0))
    assert sample["labelled"].tolist() == [True, False]
    assert (sample["ids"][0] != 0).any()
    assert (sample["ids"][1] == 0).all()
    assert (sample["images"][1] != 0).any()


def test_from_config(shapes_records: list):
    from vps.config import add_vps_config
    from vps.d2.config import get_cfg

    cfg = get_cfg()
    add_vps_config(cfg)
    cfg.INPUT.MIN_SIZE_TRAIN = (32,)
    cfg.INPUT.CLIP.SAMPLER = "consecutive"
    cfg.INPUT.CLIP.LENGTH = 3
    sample = ClipMapper(cfg)(shapes_records[0], 2, np.random.default_rng(0))
    assert sample["images"].shape == (3, 3, 32, 48)
    assert sample["frame_ids"] == ["00000", "00002", "00004"]


def test_cache_forgets_what_was_used_longest_ago():
    cache, reads = FrameCache(3 / 2**20), []

    def get(key: str) -> str:
        return cache.get(key, lambda: reads.append(key) or key, lambda value: 1)

    for key in "abcabdab":
        assert get(key) == key
    assert "".join(reads) == "abcd"
    get("c")  # d pushed it out
    assert "".join(reads) == "abcdc"
