"""The training loop and its hooks: order, losses, timing, evaluation, mixed precision."""

from __future__ import annotations

import pytest
import torch
from contract_toy import ContractToy
from torch import nn

from vps.d2.engine import AMPTrainer, HookBase, SimpleTrainer, TrainerBase, hooks
from vps.d2.utils import get_event_storage


class Recorder(HookBase):
    """Notes every call, with the iteration at that time."""

    def __init__(self, name: str, calls: list) -> None:
        self.name, self.calls = name, calls

    def note(self, what: str) -> None:
        assert self.trainer.storage is get_event_storage()
        self.calls.append((self.name, what, self.trainer.iter))

    def before_train(self):
        self.note("before_train")

    def before_step(self):
        self.note("before_step")

    def after_backward(self):
        self.note("after_backward")

    def after_step(self):
        self.note("after_step")

    def after_train(self):
        self.note("after_train")


def simple_trainer(batches=None, **arguments) -> SimpleTrainer:
    model = ContractToy(None)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batches = [[1.0], [2.0], [3.0]] if batches is None else batches
    return SimpleTrainer(model, batches, optimizer, **arguments)


def test_order_of_hooks():
    calls: list = []
    trainer = simple_trainer()
    trainer.register_hooks([Recorder("a", calls), None, Recorder("b", calls)])
    trainer.train(4, 6)
    expected = ["before_train"]
    expected += ["before_step", "after_backward", "after_step"] * 2 + ["after_train"]
    iterations = [4, 4, 4, 4, 5, 5, 5, 6]  # 6: told to after_train that all is done
    assert calls == [
        (name, what, i) for what, i in zip(expected, iterations) for name in ("a", "b")
    ]
    with pytest.raises(AssertionError):
        trainer.register_hooks([object()])


def test_after_train_is_called_after_a_failure():
    calls: list = []
    trainer = simple_trainer(batches=[[1.0]])
    trainer.register_hooks([Recorder("a", calls)])
    with pytest.raises(StopIteration):
        trainer.train(0, 5)
    assert calls[-1] == ("a", "after_train", 1)


@pytest.mark.parametrize("zero_grad_before_forward", [False, True])
def test_steps_and_scalars(zero_grad_before_forward):
    trainer = simple_trainer(zero_grad_before_forward=zero_grad_before_forward)
    reference = ContractToy(None)
    optimizer = torch.optim.SGD(reference.parameters(), lr=0.1)
    for batch in trainer.data_loader:
        optimizer.zero_grad()
        losses = reference(batch)
        sum(losses.values()).backward()
        optimizer.step()
    trainer.train(0, 3)
    assert torch.equal(trainer.model.slope.weight, reference.slope.weight)
    latest = trainer.storage.latest()
    assert {"loss_fit", "loss_small", "total_loss", "data_time", "rank_data_time"} <= set(latest)
    assert latest["loss_fit"] == (losses["loss_fit"].item(), 2)
    total = sum(loss.item() for loss in losses.values())
    assert latest["total_loss"][0] == pytest.approx(total)


def test_metrics_are_gathered_now_and_then():
    trainer = simple_trainer(gather_metric_period=2)
    trainer.train(0, 3)
    assert [i for _, i in trainer.storage.history("loss_fit").values()] == [1]


def test_a_single_loss():
    class OneLoss(ContractToy):
        def forward(self, numbers):
            return sum(super().forward(numbers).values())

    model = OneLoss(None)
    trainer = SimpleTrainer(model, [[1.0]], torch.optim.SGD(model.parameters(), lr=0.1))
    trainer.train(0, 1)
    assert set(trainer.storage.latest()) == {"total_loss", "data_time", "rank_data_time"}


def test_an_infinite_loss_names_its_iteration():
    trainer = simple_trainer(batches=[[1.0], [float("inf")]])
    with pytest.raises(FloatingPointError, match="iteration=8") as error:
        trainer.train(7, 9)
    assert "loss_fit" in str(error.value)


def test_eval_mode_is_refused():
    trainer = simple_trainer()
    trainer.model.eval()
    with pytest.raises(AssertionError, match="eval"):
        trainer.train(0, 1)


def test_data_loader_can_be_replaced():
    trainer = simple_trainer()
    trainer.train(0, 1)
    trainer.reset_data_loader(lambda: [[9.0]])
    assert trainer.data_loader == [[9.0]]
    trainer.train(1, 2)


def test_run_step_is_the_subclass_part():
    with pytest.raises(NotImplementedError):
        TrainerBase().train(0, 1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="checks the refusal where there is no CUDA")
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_mixed_precision_needs_cuda():
    model = ContractToy(None)
    trainer = AMPTrainer(model, [[1.0]], torch.optim.SGD(model.parameters(), lr=0.1))
    assert "grad_scaler" in trainer.state_dict()
    with pytest.raises(AssertionError, match="CUDA"):
        trainer.train(0, 1)
    with pytest.raises(AssertionError):
        AMPTrainer(nn.DataParallel(model), [[1.0]], trainer.optimizer)


def test_hook_states():
    class Counter(HookBase):
        def __init__(self):
            self.count = 0

        def after_step(self):
            self.count += 1

        def state_dict(self):
            return {"count": self.count}

        def load_state_dict(self, state):
            self.count = state["count"]

    trainer = simple_trainer()
    trainer.register_hooks([Counter()])
    trainer.train(0, 2)
    state = trainer.state_dict()
    assert state["iteration"] == 2
    assert list(state["hooks"].values()) == [{"count": 2}]
    other, counter = simple_trainer(), Counter()
    other.load_state_dict(state)  # a hook that is not there is only a warning
    other.register_hooks([counter])
    other.load_state_dict(state)
    assert (other.iter, counter.count) == (2, 2)


def test_callback_hook():
    calls: list = []
    names = ("before_train", "before_step", "after_step", "after_train")
    functions = {n: (lambda trainer, n=n: calls.append((n, trainer.iter))) for n in names}
    trainer = simple_trainer()
    trainer.register_hooks([hooks.CallbackHook(**functions), hooks.CallbackHook()])
    trainer.train(0, 1)
    assert calls == [("before_train", 0), ("before_step", 0), ("after_step", 0), ("after_train", 1)]


def test_iteration_timer(host_log):
    trainer = simple_trainer(batches=[[1.0]] * 5)
    trainer.register_hooks([hooks.IterationTimer(warmup_iter=3)])
    trainer.train(0, 5)
    assert [i for _, i in trainer.storage.history("time").values()] == [2, 3, 4]
    assert any(line.startswith("Overall training speed: 3 iterations in ") for line in host_log)
    assert any(line.startswith("Total training time: ") for line in host_log)


@pytest.mark.parametrize(
    ("period", "after_train", "expected"),
    [(2, True, [1, 3, 5]), (0, True, [5]), (2, False, [1, 3])],
)
def test_eval_hook(period, after_train, expected):
    trainer = simple_trainer(batches=[[1.0]] * 5)
    seen: list = []

    def evaluate():
        seen.append(trainer.iter)
        return {"vps": {"VPQ": {"all": 1.5}}, "flat": 2}

    trainer.register_hooks([hooks.EvalHook(period, evaluate, after_train)])
    trainer.train(0, 5)
    assert seen == expected
    latest = trainer.storage.latest()
    assert (latest["vps/VPQ/all"][0], latest["flat"][0]) == (1.5, 2.0)


def test_eval_hook_wants_numbers():
    trainer = simple_trainer()
    trainer.register_hooks([hooks.EvalHook(0, lambda: {"a": {"b": "text"}})])
    with pytest.raises(ValueError, match="a/b"):
        trainer.train(0, 1)


@pytest.mark.parametrize(("mode", "best"), [("max", (0.75, 3)), ("min", (0.25, 1))])
def test_best_checkpointer(tmp_path, mode, best):
    from vps.d2.checkpoint import DetectionCheckpointer

    trainer = simple_trainer(batches=[[1.0]] * 8)
    scores = iter([0.25, 0.75, float("nan"), 0.5])
    checkpointer = DetectionCheckpointer(trainer.model, str(tmp_path))
    keeper = hooks.BestCheckpointer(2, checkpointer, "vps/VPQ", mode=mode)
    trainer.register_hooks([hooks.EvalHook(2, lambda: {"vps": {"VPQ": next(scores)}}), keeper])
    trainer.train(0, 8)
    assert (keeper.best_metric, keeper.best_iter) == best
    assert torch.load(tmp_path / "model_best.pth", weights_only=True)["iteration"] == best[1]


def test_lr_hook_takes_a_schedule():
    from fvcore.common.param_scheduler import LinearParamScheduler

    trainer = simple_trainer(batches=[[1.0]] * 4)
    trainer.register_hooks([hooks.LRScheduler(scheduler=LinearParamScheduler(1.0, 0.0))])
    trainer.train(0, 4)
    rates = [value for value, _ in trainer.storage.history("lr").values()]
    assert rates == pytest.approx([0.1, 0.075, 0.05, 0.025])
