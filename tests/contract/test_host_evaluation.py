"""The evaluation loop and what is done with results."""

from __future__ import annotations

import pytest
import torch
from contract_toy import ContractToy, MeanEvaluator

from vps.d2.config import get_cfg
from vps.d2.evaluation import (
    DatasetEvaluator,
    DatasetEvaluators,
    inference_context,
    inference_on_dataset,
    print_csv_format,
    verify_results,
)

LOADER = [[1.0, 2.0], [3.0], [4.0], [5.0], [6.0], [7.0], [8.0]]


class Watcher(DatasetEvaluator):
    def __init__(self, model, result):
        self.model, self.result, self.events = model, result, []

    def reset(self):
        self.events.append("reset")

    def process(self, inputs, outputs):
        assert not torch.is_grad_enabled()  # lazy outputs are computed here
        assert not self.model.training
        self.events.append(len(inputs))

    def evaluate(self):
        self.events.append("evaluate")
        return self.result


def test_inference_on_dataset(host_log):
    model = ContractToy(None)
    model.train()
    results = inference_on_dataset(model, LOADER, MeanEvaluator())
    assert results["toy"]["count"] == 8.0
    assert results["toy"]["mean"] == pytest.approx(0.5 * 4.5 + 0.1)
    assert model.training
    assert host_log[0] == "Start inference on 7 batches"
    total = next(line for line in host_log if line.startswith("Total inference time: "))
    assert total.endswith("s / iter per device, on 1 devices)")


def test_order_of_calls():
    model = ContractToy(None)
    watchers = [Watcher(model, {"a": {"x": 1.0}}), Watcher(model, {"b": {"x": 2.0}})]
    called = []
    names = ("on_start", "before_inference", "after_inference", "on_end")
    callbacks = {name: (lambda name=name: called.append(name)) for name in names}
    results = inference_on_dataset(model, LOADER, watchers, callbacks=callbacks)
    assert results == {"a": {"x": 1.0}, "b": {"x": 2.0}}
    assert watchers[0].events == ["reset", 2, 1, 1, 1, 1, 1, 1, "evaluate"]
    assert called == ["on_start", *["before_inference", "after_inference"] * 7, "on_end"]


@pytest.mark.parametrize("loader", [[], [[1.0]]])
def test_few_batches(loader):
    watcher = Watcher(ContractToy(None), None)
    assert inference_on_dataset(watcher.model, loader, watcher) == {}  # None becomes {}
    assert inference_on_dataset(watcher.model, loader, None) == {}
    assert inference_on_dataset(lambda numbers: numbers, loader, None) == {}  # any function


def test_two_evaluators_of_one_task():
    model = ContractToy(None)
    both = DatasetEvaluators([Watcher(model, {"a": {}}), Watcher(model, {"a": {}})])
    with pytest.raises(AssertionError, match="a"):
        both.evaluate()


def test_inference_context():
    model = torch.nn.Linear(1, 1).eval()
    with inference_context(model):
        assert not model.training
    assert not model.training
    model.train()
    with inference_context(model):
        assert not model.training
    assert model.training


def test_print_csv_format(host_log):
    print_csv_format({"vps": {"VPQ": 65.43215, "VPQ-car": 1.0, "STQ": 0.5}, "note": 3})
    assert host_log == [
        "copypaste: Task: vps",
        "copypaste: VPQ,STQ",
        "copypaste: 65.4321,0.5000",
        "copypaste: note=3",
    ]


@pytest.mark.parametrize(
    ("expected", "ok"),
    [
        ([], True),
        ([["vps", "VPQ", 65.0, 0.5]], True),
        ([["vps", "VPQ", 66.0, 0.5]], False),
        ([["vps", "VPQ", 65.0, 0.5], ["vps", "missing", 1.0, 0.5]], False),
        ([["vps", "nan", 1.0, 0.5]], False),
    ],
)
def test_verify_results(expected, ok, host_log):
    cfg = get_cfg()
    cfg.TEST.EXPECTED_RESULTS = expected
    results = {"vps": {"VPQ": 65.25, "nan": float("nan")}}
    if ok:
        assert verify_results(cfg, results) is True
        return
    with pytest.raises(SystemExit) as stopped:
        verify_results(cfg, results)
    assert stopped.value.code == 1
    assert "Result verification failed!" in host_log
