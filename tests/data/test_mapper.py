"""ClipSamples: shapes, dtypes, segments, unlabelled frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vps.data import ClipMapper
from vps.data.augmentation import ClipAugmentation
from vps.data.clip_reader import FrameCache
from vps.data.clip_sampling import make_clip_sampler
from vps.io import read_ground_truth, read_image
from vps.structures import ClipSample, InputError

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


def vos_config(sampler: str):
    """AOT's sampling and augmentation, at the size of these records."""
    from vps.config import add_vps_config
    from vps.d2.config import get_cfg

    cfg = get_cfg()
    add_vps_config(cfg)
    cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.MIN_SIZE_TRAIN_SAMPLING = (34, 62), "range"
    cfg.INPUT.INTERPOLATION = "bicubic"
    cfg.INPUT.CROP.ENABLED, cfg.INPUT.CROP.TYPE, cfg.INPUT.CROP.SIZE = True, "absolute", (50, 54)
    cfg.INPUT.CROP.PAD, cfg.INPUT.CROP.TRIES = True, 5
    cfg.INPUT.CLIP.SAMPLER, cfg.INPUT.CLIP.LENGTH, cfg.INPUT.CLIP.MAX_GAP = sampler, 4, 2
    cfg.INPUT.CLIP.REVERSE = True
    cfg.INPUT.CLIP.MIN_OBJECT_AREA = 20
    cfg.INPUT.COLOR_JITTER, cfg.INPUT.COLOR.SATURATION, cfg.INPUT.COLOR.HUE = 0.4, 0.2, 0.1
    cfg.INPUT.COLOR.PER_FRAME = True
    cfg.INPUT.COLOR.GRAYSCALE_PROBABILITY = cfg.INPUT.COLOR.BLUR_PROBABILITY = 0.3
    cfg.INPUT.STATIC.SPLINE_PROBABILITY = 0.3
    return cfg


@pytest.mark.parametrize("sampler", ["sequence", "static"])
def test_clips_of_references(shapes_records: list, sampler: str):
    mapper = ClipMapper(vos_config(sampler))
    for seed in range(6):
        sample = mapper(shapes_records[seed % 3], 2, np.random.default_rng(seed))
        assert sample["images"].shape == (4, 3, 50, 54)
        assert sample["ids"].shape == (4, 50, 54)
        assert sample["ids"].dtype == torch.int32
        assert sample["labelled"].all()
        given = set(sample["ids"][0].unique().tolist()) - {0}
        assert given == set(sample["segments"])  # later frames show nothing else
        assert 0 < len(given) <= 10
        assert all((sample["ids"][0] == key).sum() > 20 for key in given)
        if sampler == "static":
            assert len(set(sample["frame_ids"])) == 1
            assert not torch.equal(sample["ids"][0], sample["ids"][1])


def test_padding_is_void_for_the_targets_of_a_model(shapes_records: list):
    """Not class 0: neither what the mapper pads nor what a batch pads."""
    from vps.modeling.vpsnet.targets import frame_targets

    cfg = vos_config("consecutive")
    cfg.INPUT.MIN_SIZE_TRAIN, cfg.INPUT.RANDOM_FLIP = (30, 30), "none"
    sample = ClipMapper(cfg)(shapes_records[0], 2, np.random.default_rng(0))
    height, width = 30, 45
    assert (sample["ids"][:, :height, :width] != 0).any()
    assert (sample["ids"][:, height:] == 0).all() and (sample["ids"][..., width:] == 0).all()
    things = sorted({s.category for s in sample["segments"].values() if s.isthing})
    for targets in frame_targets([sample], (64, 64), things, torch.device("cpu")):
        assert (targets.semantic[height:] == -1).all()
        assert (targets.semantic[:, width:] == -1).all()
        assert (targets.semantic[:height, :width] >= 0).any()


def test_an_item_can_be_a_video(shapes_records: list):
    from vps.data.loader import ClipDataset

    mapper = ClipMapper(
        clip_sampler=make_clip_sampler("static", length=1, max_gap=1, reverse=False)
    )
    frames = ClipDataset(shapes_records, mapper, seed=0)
    videos = ClipDataset(shapes_records, mapper, seed=0, item="video")
    assert (len(frames), len(videos)) == (9, 3)
    drawn = [videos[1, draw] for draw in range(30)]
    assert {sample["video_id"] for sample in drawn} == {"0001"}
    assert {sample["frame_ids"][0] for sample in drawn} == {"00000", "00002", "00004"}
    with pytest.raises(InputError, match=r"CLIP\.ITEM"):
        ClipDataset(shapes_records, mapper, seed=0, item="clip")


def test_optional_packages_change_nothing(shapes_records: list, monkeypatch: pytest.MonkeyPatch):
    """Label PNGs are read by numba, by FFmpeg or by Pillow: the samples are the same."""
    mapper = ClipMapper(clip_sampler=PAIR, augmentation=AUGMENTATION)
    samples = []
    for numba, ffmpeg in (("1", True), ("0", True), ("0", False)):
        monkeypatch.setenv("VPS_NUMBA", numba)
        if not ffmpeg:
            monkeypatch.setattr("vps.io.panoptic.read_plain_ids", lambda path: None)
        samples.append(mapper(shapes_records[0], 2, np.random.default_rng(3)))
    assert equal(samples[0], samples[1])
    assert equal(samples[0], samples[2])
