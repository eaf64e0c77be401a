"""The stream of training samples can be split, resumed and shared; inference keeps videos whole."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from vps.config import add_vps_config
from vps.d2.config import get_cfg
from vps.d2.utils import comm
from vps.data import build_test_loader, build_train_loader, register_shapes
from vps.data.samplers import ClipTrainingSampler, VideoInferenceSampler
from vps.structures import InputError

NAME = "shapes_for_loader_tests"


@pytest.fixture
def cfg(shapes_folder: Path):
    register_shapes(shapes_folder.parent, name=NAME)
    cfg = get_cfg()
    add_vps_config(cfg)
    cfg.DATASETS.TRAIN = (f"{NAME}_train",)
    cfg.DATALOADER.NUM_WORKERS = 0
    cfg.INPUT.MIN_SIZE_TRAIN = (32, 40)
    cfg.INPUT.COLOR_JITTER = 0.2
    cfg.SOLVER.IMS_PER_BATCH = 2
    cfg.SEED = 11
    return cfg


def take(stream, count: int) -> list:
    return list(itertools.islice(stream, count))


def names(batches: list) -> list:
    return [[(s["video_id"], *s["frame_ids"]) for s in batch] for batch in batches]


def assert_same(one: list, two: list) -> None:
    assert names(one) == names(two)
    for first, second in zip(one, two):
        for a, b in zip(first, second):
            assert torch.equal(a["images"], b["images"])
            assert torch.equal(a["ids"], b["ids"])


def test_sampler_gives_every_item_once_per_pass():
    draws = take(ClipTrainingSampler(5, seed=1), 15)
    assert [draw for _, draw in draws] == list(range(15))
    passes = [[item for item, _ in draws[k : k + 5]] for k in (0, 5, 10)]
    assert all(sorted(items) == [0, 1, 2, 3, 4] for items in passes)
    assert len({tuple(items) for items in passes}) > 1
    assert draws != take(ClipTrainingSampler(5, seed=2), 15)


@pytest.mark.parametrize("start", [0, 1, 4, 5, 7, 23])
def test_sampler_starts_anywhere(start: int):
    whole = take(ClipTrainingSampler(5, seed=1), 40)
    assert take(ClipTrainingSampler(5, seed=1, start=start), 10) == whole[start : start + 10]


@pytest.mark.parametrize("world_size", [1, 2, 3, 8])
@pytest.mark.parametrize("start", [0, 6])
def test_ranks_share_one_stream(world_size: int, start: int):
    whole = take(ClipTrainingSampler(5, seed=1, start=start), 24)
    shares = [
        take(
            ClipTrainingSampler(5, seed=1, rank=rank, world_size=world_size, start=start),
            24 // world_size,
        )
        for rank in range(world_size)
    ]
    together = sorted((pair for share in shares for pair in share), key=lambda pair: pair[1])
    assert together == whole


@pytest.mark.parametrize(("videos", "world_size"), [(7, 1), (7, 2), (7, 3), (2, 4), (0, 2)])
def test_inference_covers_every_video_once(videos: int, world_size: int):
    samplers = [
        VideoInferenceSampler(videos, rank=rank, world_size=world_size)
        for rank in range(world_size)
    ]
    assert sorted(i for sampler in samplers for i in sampler) == list(range(videos))
    assert sum(len(sampler) for sampler in samplers) == videos


def test_resumed_loader_gives_the_samples_of_an_uninterrupted_one(cfg):
    whole = take(build_train_loader(cfg), 9)
    resumed = take(build_train_loader(cfg, start_iteration=4), 5)
    assert_same(resumed, whole[4:])


def test_samples_do_not_depend_on_workers(cfg):
    alone = take(build_train_loader(cfg), 6)
    cfg.DATALOADER.NUM_WORKERS = 2
    assert_same(take(build_train_loader(cfg), 6), alone)


def test_ranks_share_the_batch(cfg, monkeypatch: pytest.MonkeyPatch):
    cfg.SOLVER.IMS_PER_BATCH = 4
    whole = take(build_train_loader(cfg, start_iteration=1), 3)
    monkeypatch.setattr(comm, "get_world_size", lambda: 2)
    shares = []
    for rank in (0, 1):
        monkeypatch.setattr(comm, "get_rank", lambda rank=rank: rank)
        shares.append(take(build_train_loader(cfg, start_iteration=1), 3))
    merged = [[a[0], b[0], a[1], b[1]] for a, b in zip(*shares)]
    assert_same(merged, whole)


def test_loaders_leave_the_global_generator_alone(cfg):
    """Training that resumes bit for bit restores torch's generator before the loader starts."""
    torch.manual_seed(0)
    before = torch.get_rng_state()
    take(build_train_loader(cfg), 1)
    take(build_test_loader(cfg, f"{NAME}_train"), 1)
    assert torch.equal(before, torch.get_rng_state())


def test_the_same_frame_is_changed_anew_in_each_pass(cfg):
    cfg.SOLVER.IMS_PER_BATCH = 1
    cfg.INPUT.CLIP.SAMPLER = "consecutive"
    batches = take(build_train_loader(cfg), 36)  # four passes over nine labelled frames
    assert len({(b[0]["video_id"], b[0]["frame_ids"][0]) for b in batches}) <= 9
    means = np.array([b[0]["images"].float().mean() for b in batches])
    assert len(np.unique(means.round(3))) > 18


def test_test_loader_gives_one_record_at_a_time(cfg, shapes_records: list):
    batches = list(build_test_loader(cfg, f"{NAME}_train"))
    assert batches == [[record] for record in shapes_records]
    assert len(build_test_loader(cfg, f"{NAME}_train")) == 3


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_file_is_one_clear_sentence(cfg, shapes_folder: Path, tmp_path: Path, workers: int):
    import shutil

    name = f"shapes_bad_{workers}"
    copy = tmp_path / "copy" / "train"
    shutil.copytree(shapes_folder, copy)
    for image in copy.glob("images/*/*.jpg"):
        image.write_bytes(b"no picture")
    register_shapes(copy.parent, name=name)
    cfg.DATASETS.TRAIN = (f"{name}_train",)
    cfg.DATALOADER.NUM_WORKERS = workers
    with pytest.raises(InputError) as caught:
        take(build_train_loader(cfg), 1)
    assert str(caught.value).startswith(f"expected an image in {copy}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"DATASETS.TRAIN": ()}, "DATASETS.TRAIN, got none"),
        ({"DATASETS.TRAIN": ("nothing",)}, "'nothing' is not"),
        ({"DATASETS.TRAIN": (f"{NAME}_train", "davis2016_vps_train")}, "differ"),
        ({"SOLVER.IMS_PER_BATCH": 0}, "IMS_PER_BATCH"),
        ({"INPUT.CLIP.SAMPLER": "x"}, "INPUT.CLIP.SAMPLER"),
    ],
)
def test_bad_settings(cfg, change: dict, message: str):
    cfg.merge_from_list([part for pair in change.items() for part in pair])
    with pytest.raises(InputError, match=message):
        build_train_loader(cfg)
