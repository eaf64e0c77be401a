"""The smallest model, trainer and evaluator that the contract can be tried with."""

from __future__ import annotations

import itertools

import torch
from torch import nn

from vps.d2.engine import DefaultTrainer
from vps.d2.evaluation import DatasetEvaluator
from vps.d2.modeling import META_ARCH_REGISTRY


@META_ARCH_REGISTRY.register()
class ContractToy(nn.Module):
    """Fits y = 2 x; its input is a list of float numbers, its losses are two."""

    def __init__(self, cfg) -> None:
        super().__init__()
        self.slope = nn.Linear(1, 1)
        nn.init.constant_(self.slope.weight, 0.5)
        nn.init.constant_(self.slope.bias, 0.1)

    def forward(self, numbers: list[float]):
        x = torch.tensor(numbers, device=self.slope.weight.device)[:, None]
        y = self.slope(x)
        if self.training:
            return {"loss_fit": ((y - 2 * x) ** 2).mean(), "loss_small": 0.01 * (y**2).mean()}
        return y[:, 0].tolist()


class MeanEvaluator(DatasetEvaluator):
    """Mean of the model's outputs, and how many there were."""

    def reset(self) -> None:
        self.outputs: list[float] = []

    def process(self, inputs, outputs) -> None:
        assert len(inputs) == len(outputs)
        self.outputs += outputs

    def evaluate(self):
        count = len(self.outputs)
        return {"toy": {"mean": sum(self.outputs) / count, "count": float(count)}}


class ToyTrainer(DefaultTrainer):
    """DefaultTrainer with a loader of its own; the i-th batch is the same in every run."""

    first_batch = 0

    @classmethod
    def build_train_loader(cls, cfg):
        return ([1.0 + 0.1 * (i % 7)] for i in itertools.count(cls.first_batch))

    @classmethod
    def build_test_loader(cls, cfg, dataset_name):
        return [[1.0], [2.0], [3.0]]

    @classmethod
    def build_evaluator(cls, cfg, dataset_name):
        return MeanEvaluator()


def toy_config(output_dir, *, max_iter: int = 3):
    """A config that trains :class:`ContractToy` on the CPU for a few iterations."""
    from vps.d2.config import get_cfg

    cfg = get_cfg()
    cfg.MODEL.META_ARCHITECTURE = "ContractToy"
    cfg.MODEL.DEVICE = "cpu"
    cfg.SOLVER.MAX_ITER = max_iter
    cfg.SOLVER.BASE_LR = 0.05
    cfg.SOLVER.STEPS = (5,)
    cfg.SOLVER.WARMUP_ITERS = 2
    cfg.SOLVER.CHECKPOINT_PERIOD = 3
    cfg.OUTPUT_DIR = str(output_dir)
    cfg.SEED = 1
    return cfg


def train_toy(output_dir, max_iter: int, *, resume: bool = False) -> ToyTrainer:
    """Train to ``max_iter``; with ``resume``, from the last checkpoint and its next batch.

    The schedule must not depend on where a run stops, so MAX_ITER is 6 in every config.
    """
    trainer = ToyTrainer(toy_config(output_dir, max_iter=6))
    trainer.resume_or_load(resume=resume)
    trainer.max_iter = max_iter
    start = trainer.start_iter
    trainer._trainer.data_loader = ([1.0 + 0.1 * (i % 7)] for i in itertools.count(start))
    trainer.train()
    return trainer


def talk_between_processes(folder: str) -> None:
    """Run in each of two processes: every collective, and one data-parallel step."""
    import os

    import numpy as np

    from vps.d2.engine import create_ddp_model
    from vps.d2.utils import comm

    torch.set_num_threads(1)
    rank = comm.get_rank()
    assert (comm.get_world_size(), comm.get_local_size()) == (2, 2)
    assert comm.get_local_rank() == rank
    assert comm.is_main_process() == (rank == 0)
    assert comm.all_gather({"rank": rank}) == [{"rank": 0}, {"rank": 1}]
    assert comm.gather(rank) == ([0, 1] if rank == 0 else [])
    np.random.seed(rank)
    assert len(set(comm.all_gather(comm.shared_random_seed()))) == 1
    reduced = comm.reduce_dict({"a": torch.tensor(float(rank)), "b": torch.tensor(4.0)})
    if rank == 0:
        assert {name: value.item() for name, value in reduced.items()} == {"a": 0.5, "b": 4.0}

    model = create_ddp_model(ContractToy(None), device_ids=None, broadcast_buffers=False)
    sum(model([1.0 + rank]).values()).backward()
    gradients = comm.all_gather(model.module.slope.weight.grad.item())
    assert gradients[0] == gradients[1]
    comm.synchronize()
    with open(os.path.join(folder, f"done{rank}"), "w") as file:
        file.write(repr(gradients[0]))


if __name__ == "__main__":  # under the other host: python contract_toy.py OUTPUT_DIR MAX_ITER
    import sys

    train_toy(sys.argv[1], int(sys.argv[2]))
