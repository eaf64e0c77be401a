"""Loaders: batches of ClipSamples for training, one VideoRecord after the other for inference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from vps.d2.utils import comm
from vps.data.catalog import dataset_categories, load_dataset
from vps.data.mapper import ClipMapper
from vps.data.samplers import ClipTrainingSampler, VideoInferenceSampler
from vps.structures import ClipSample, InputError, VideoRecord


def build_train_loader(cfg: Any, *, start_iteration: int = 0) -> ClipLoader:
    """An endless iterable of batches for this rank: lists of SOLVER.IMS_PER_BATCH / ranks samples.

    The samples of iteration i depend on SEED and on i alone, not on DATALOADER.NUM_WORKERS, nor on
    the number of ranks, nor on where the run began: with ``start_iteration=i`` the first batch is
    the one that an uninterrupted run would see at iteration i. (A negative SEED draws a new one.)

    Raises:
        InputError: a data set is missing or bad, has no labelled frame, or the data sets have
            different categories; or the batch cannot be shared by the ranks.
    """
    rank, world_size = comm.get_rank(), comm.get_world_size()
    batch_size, remainder = divmod(cfg.SOLVER.IMS_PER_BATCH, world_size)
    if remainder or batch_size < 1:
        raise InputError(
            f"expected SOLVER.IMS_PER_BATCH divisible by the {world_size} processes, got "
            f"{cfg.SOLVER.IMS_PER_BATCH}"
        )
    records = load_train_records(cfg.DATASETS.TRAIN)
    seed = cfg.SEED if cfg.SEED >= 0 else comm.shared_random_seed() % 2**31
    dataset = ClipDataset(records, ClipMapper(cfg), seed=seed, item=cfg.INPUT.CLIP.ITEM)
    if not len(dataset):
        raise InputError(f"data sets {list(cfg.DATASETS.TRAIN)} have no labelled frame")
    sampler = ClipTrainingSampler(
        len(dataset),
        seed=seed,
        rank=rank,
        world_size=world_size,
        start=start_iteration * cfg.SOLVER.IMS_PER_BATCH,
    )
    workers = cfg.DATALOADER.NUM_WORKERS
    return ClipLoader(dataset, sampler, batch_size=batch_size, num_workers=workers)


def build_test_loader(cfg: Any, dataset_name: str) -> DataLoader:
    """This rank's share of the videos of a data set, whole videos: lists of one VideoRecord.

    A loader for Detectron2's ``inference_on_dataset``; the pictures are read by the model.
    """
    records = load_dataset(dataset_name)
    sampler = VideoInferenceSampler(
        len(records), rank=comm.get_rank(), world_size=comm.get_world_size()
    )
    return DataLoader(
        records, sampler=sampler, batch_size=1, collate_fn=list, generator=torch.Generator()
    )


def load_train_records(names: tuple[str, ...]) -> list[VideoRecord]:
    """The records of several data sets, one after the other; their categories must be the same."""
    if not names:
        raise InputError("expected the names of data sets in DATASETS.TRAIN, got none")
    first = dataset_categories(names[0])
    for name in names[1:]:
        if dataset_categories(name) != first:
            raise InputError(
                f"expected data sets of the same categories in DATASETS.TRAIN, but {names[0]} and "
                f"{name} differ"
            )
    return [record for name in names for record in load_dataset(name)]


class ClipDataset(Dataset):
    """The labelled frames of all records, as (item, draw) -> ClipSample.

    Frames whose ground truth is void alone are no items: there is nothing to learn from them.

    Args:
        item: "frame": every such frame is an item; "video": every video that has some, and the
            frame is drawn.
    """

    def __init__(
        self, records: list[VideoRecord], mapper: ClipMapper, *, seed: int, item: str = "frame"
    ) -> None:
        if item not in ("frame", "video"):
            raise InputError(f"expected INPUT.CLIP.ITEM frame or video, got {item!r}")
        self._records, self._mapper, self._seed = records, mapper, seed
        frames = [
            (
                number,
                [
                    t
                    for t, infos in enumerate(record["segments_infos"])
                    if infos and record["labelled"][t]
                ],
            )
            for number, record in enumerate(records)
        ]
        if item == "video":
            self._items = [(number, choice) for number, choice in frames if choice]
        else:
            self._items = [(number, [t]) for number, choice in frames for t in choice]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, item_and_draw: tuple[int, int]) -> ClipSample | InputError:
        item, draw = item_and_draw
        rng = np.random.default_rng([self._seed, draw])
        try:
            return self._mapper(*self._choose_frame(item, rng), rng, draw_item=self._draw_item)
        except InputError as error:
            # Raised in a worker it would reach the user inside a traceback of another process;
            # ClipLoader raises it in the user's.
            return error

    def _draw_item(self, rng: np.random.Generator) -> tuple[VideoRecord, int]:
        """Any item, for a clip that is merged of two."""
        return self._choose_frame(int(rng.integers(len(self._items))), rng)

    def _choose_frame(self, item: int, rng: np.random.Generator) -> tuple[VideoRecord, int]:
        number, choice = self._items[item]
        t = choice[0] if len(choice) == 1 else choice[rng.integers(len(choice))]
        return self._records[number], t


class ClipLoader:
    """Batches of a ClipDataset, without end."""

    def __init__(
        self,
        dataset: ClipDataset,
        sampler: ClipTrainingSampler,
        *,
        batch_size: int,
        num_workers: int = 0,
    ) -> None:
        self.dataset = dataset
        self._loader = DataLoader(
            dataset,
            sampler=sampler,
            batch_size=batch_size,
            num_workers=num_workers,
            collate_fn=list,
            # Without one of its own it would draw from torch's global generator, and training that
            # resumes bit for bit owns that one.
            generator=torch.Generator(),
        )

    def __iter__(self) -> Iterator[list[ClipSample]]:
        for batch in self._loader:
            for sample in batch:
                if isinstance(sample, InputError):
                    raise sample
            yield batch
