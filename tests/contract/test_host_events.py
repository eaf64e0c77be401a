"""Event storage and its writers: smoothing, metrics.json, the log line."""

from __future__ import annotations

import json

import pytest

from vps.d2.utils import (
    CommonMetricPrinter,
    EventStorage,
    JSONWriter,
    TensorboardXWriter,
    get_event_storage,
)


def test_storage_stack():
    with pytest.raises(AssertionError):
        get_event_storage()
    with EventStorage(5) as outer:
        assert get_event_storage() is outer
        assert outer.iter == 5
        with EventStorage() as inner:
            assert get_event_storage() is inner
        assert get_event_storage() is outer
    with pytest.raises(AssertionError):
        get_event_storage()


def test_scalars_and_smoothing():
    with EventStorage() as storage:
        for iteration in range(30):
            storage.iter = iteration
            storage.put_scalar("loss", iteration)
            storage.put_scalars(lr=iteration, smoothing_hint=False)
        storage.put_scalar("late", 1.0, cur_iter=100)
        with storage.name_scope("val"):
            storage.put_scalar("score", 0.5)
        storage.put_scalar("score", 2)
    assert storage.latest()["loss"] == (29.0, 29)
    assert storage.latest()["late"] == (1.0, 100)
    assert storage.latest()["val/score"] == (0.5, 29)
    smooth = storage.latest_with_smoothing_hint(20)
    assert smooth["loss"] == (19.5, 29)  # median of 10..29
    assert smooth["lr"] == (29.0, 29)
    assert storage.count_samples("loss", 20) == 20
    assert storage.count_samples("late", 20) == 1
    assert storage.history("loss").median(3) == 28.0
    assert storage.history("loss").latest() == 29.0
    assert set(storage.histories()) == {"loss", "lr", "late", "val/score", "score"}
    assert storage.smoothing_hints()["lr"] is False
    with pytest.raises(KeyError):
        storage.history("nothing")
    with pytest.raises(AssertionError):
        storage.put_scalar("lr", 1.0, smoothing_hint=True)


def test_window_counts_iterations_not_values():
    with EventStorage() as storage:
        for iteration in (0, 10, 20, 30):
            storage.iter = iteration
            storage.put_scalar("loss", iteration)
        assert storage.count_samples("loss", 20) == 2
        assert storage.latest_with_smoothing_hint(20)["loss"] == (25.0, 30)


def test_json_lines(tmp_path):
    path = tmp_path / "metrics.json"
    for start in (0, 2):  # a resumed run appends
        writer = JSONWriter(str(path), window_size=2)
        with EventStorage(start) as storage:
            for iteration in (start, start + 1):
                storage.iter = iteration
                storage.put_scalar("loss", float(iteration))
                if iteration == start:
                    storage.put_scalar("once", 7.0)
                writer.write()
                writer.write()  # nothing new
        writer.close()
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows == [
        {"iteration": 0, "loss": 0.0, "once": 7.0},
        {"iteration": 1, "loss": 0.5},
        {"iteration": 2, "loss": 2.0, "once": 7.0},
        {"iteration": 3, "loss": 2.5},
    ]
    first = path.read_text().splitlines()[0]
    assert first == '{"iteration": 0, "loss": 0.0, "once": 7.0}'  # keys sorted


def test_log_line(host_log):
    printer = CommonMetricPrinter(max_iter=100)
    with EventStorage() as storage:
        for iteration in range(10):
            storage.iter = iteration
            storage.put_scalars(total_loss=2.0, loss_a=0.123456, time=0.5, data_time=0.25)
            storage.put_scalar("[metric]recall", 0.75)
            storage.put_scalar("lr", 0.001234567, smoothing_hint=False)
        printer.write()
        assert storage.latest()["eta_seconds"] == (45.0, 9)
        storage.iter = 100
        printer.write()  # after training: silent
    (line,) = host_log
    start = " eta: 0:00:45  iter: 9  total_loss: 2  loss_a: 0.1235  [metric]recall: 0.75  "
    assert line.startswith(start)
    assert "time: 0.5000  last_time: 0.5000  data_time: 0.2500  last_data_time: 0.2500" in line
    assert " lr: 0.0012346" in line


def test_log_line_without_anything(host_log):
    with EventStorage():
        CommonMetricPrinter().write()
        CommonMetricPrinter(10).write()
    assert all("iter: 0" in line and "lr: N/A" in line for line in host_log)


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboard")
    writer = TensorboardXWriter(str(tmp_path))
    assert not list(tmp_path.iterdir())  # opened at the first write only
    with EventStorage() as storage:
        storage.put_scalar("loss", 1.0)
        writer.write()
    writer.close()
    assert list(tmp_path.glob("events.*"))
