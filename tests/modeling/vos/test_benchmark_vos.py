"""``benchmark.py vos`` on small pictures: it runs, and it counts what it says it counts."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest
import torch
from small_networks import KINDS, small_network
from torch.utils.flop_counter import FlopCounterMode

SMALL = ["--size", 49, 65, "--objects", 11, "--stored", 2]


@pytest.fixture
def benchmarks(repository, monkeypatch):
    """The tool's modules."""
    monkeypatch.syspath_prepend(repository / "tools")
    import benchmarks.vos
    import benchmarks.vos_arithmetic
    import benchmarks.vos_processes

    return benchmarks


@pytest.fixture
def run(benchmarks, monkeypatch):
    """The tool, everything in this process: new ones take seconds to start."""
    import benchmark

    def call(function, *arguments):
        return pickle.loads(pickle.dumps(function))(*pickle.loads(pickle.dumps(arguments)))

    monkeypatch.setattr(benchmarks.vos, "in_fresh_process", call)
    return lambda *words: benchmark.main(["vos", *map(str, words), "--device", "cpu"])


@pytest.fixture
def unseen_memory():
    """A comparison in which the engine's memory was not seen to grow."""
    side = {"seconds": 1.0, "of it in the system": 0.0, "peak MB": 0.0}
    engine = {**side, "GFLOP": {"encoder": 1.0}, "matrix product GFLOP/s": 2.0}
    row = {"engine": engine, "dense": side, "speed": 1.0, "memory": None, "difference": 0.0}
    return {**row, "GFLOP/s": 1.0, "rate": 0.5}


@pytest.mark.parametrize("variant", ["AOT-T", "AOST"])
def test_the_tool_runs_and_both_sides_agree(variant, run, tmp_path, capsys):
    lengths = ["--lengths", 5, "--length-size", 49, 65]
    assert run("--variants", variant, *SMALL, "--sweep", 1, *lengths, "-o", tmp_path) == 0
    assert capsys.readouterr().out.strip() == (tmp_path / "vos.txt").read_text().strip()
    content = json.loads((tmp_path / "vos.json").read_text())
    row = content["comparisons"][variant]
    assert 0 < row["difference"] < 1e-4
    assert row["speed"] == row["dense"]["seconds"] / row["engine"]["seconds"]
    assert 0 < row["rate"] == row["GFLOP/s"] / row["engine"]["matrix product GFLOP/s"]
    assert content["by number of objects"]["1"]["seconds"] > 0
    assert "5" in content["peak MB by length"]
    assert content["machine"]["torch"] == torch.__version__


def test_memory_that_does_not_grow_is_no_reference(unseen_memory, benchmarks):
    """A process whose memory was larger before sees no growth: there is no ratio to it."""
    assert benchmarks.vos.ratio(6.0, 2.0) == 3.0
    assert benchmarks.vos.ratio(6.0, 0.0) is None
    results = {
        "case": {"size": (49, 65), "objects": 1, "stored frames": 1},
        "comparisons": {"AOT-T": unseen_memory},
        "by number of objects": {},
        "peak MB by length": {5: 0.0, 9: 1.0},
        "machine": {},
    }
    text = benchmarks.vos.format_results(results)
    assert "They differ by an amount too small to be seen" in text
    assert "differ by 50.0%" in benchmarks.vos.format_results(
        {**results, "peak MB by length": {5: 2.0, 9: 3.0}}
    )


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--size", 576, 1040], "expected sides of 16k+1 for AOT-L, got 576"),
        (["--variants", "SwinB-PAOT"], "expected sides of 16k+0 for SwinB-PAOT, got 577"),
        (["--variants", "AOT-XL"], "expected one of ['AOT-T'"),
    ],
)
def test_bad_options_are_refused(words, error, run, capsys):
    assert run(*words) == 2
    assert error in capsys.readouterr().err


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_the_formulas_count_what_torch_counts(kind, benchmarks, monkeypatch):
    """Exactly, if attention within the frame and to the stored tokens is written out for torch to
    see, and each query of the short-term attention has a tile of its own: no score is wasted.
    """
    from benchmarks.dense_propagation import DenseLongTerm, DenseSelfAttention

    network = small_network(kind)
    plain = copy.deepcopy(network)
    for block in list(plain.modules()):
        if hasattr(block, "long_term"):
            block.long_term = DenseLongTerm(block.long_term)
            block.self_attention = DenseSelfAttention(block.self_attention)
    monkeypatch.setattr("vps.layers.local_attention.TILE", 1)
    size = (49, 65) if network.align_corners else (48, 64)
    images, one_hot = torch.randn(1, 3, *size), torch.rand(2, network.channels, *size)
    identities = network.embed_identities(one_hot)
    first = network.propagate(network.encode(images), None, identities=identities)
    previous = network.remember(first, identities)
    memory = network.build_memory(3 * [previous], previous, first.sizes)  # 2 groups, 3 frames

    def frame(network) -> None:
        propagated = network.propagate(network.encode(images), memory)
        network.remember(propagated, network.embed_identities(one_hot))

    with benchmarks.vos_arithmetic.count_arithmetic(network) as counts:
        frame(network)
    with FlopCounterMode(display=False) as counter:
        frame(plain)
    assert sum(counts.values()) == counter.get_total_flops()
    with FlopCounterMode(display=False) as counter:
        network.encode(images)
    assert counts["encoder"] + counts["projection"] == counter.get_total_flops()
    with FlopCounterMode(display=False) as counter:
        network.embed_identities(one_hot)
    assert counts["identity banks"] == counter.get_total_flops()
    assert all(counts.values())
    before = dict(counts)
    frame(network)
    assert counts == before  # no hook is left


def test_long_term_attention_grows_with_stored_frames(benchmarks):
    """2 N M C for scores, which groups share in the first layer, and for values; other parts do not
    change.
    """
    processes = benchmarks.vos_processes
    case = processes.Case("AOT-S", (49, 65), objects=11, stored=1)
    found = [processes.measure_engine(case._replace(stored=stored))["GFLOP"] for stored in (1, 4)]
    tokens, products = 4 * 5, (1 + 2) + (2 + 2)  # of two groups in two layers
    grown = found[1]["long-term attention"] - found[0]["long-term attention"]
    assert grown == pytest.approx(3 * products * 2 * tokens**2 * 256 / 1e9)
    for part in set(found[0]) - {"long-term attention"}:
        assert found[0][part] == found[1][part] > 0


@pytest.mark.parametrize("objects", [1, 12, 60])
def test_every_object_is_drawn(objects, benchmarks):
    drawn = benchmarks.vos_processes.draw_masks((577, 1041), objects)
    assert np.unique(drawn.ids).tolist() == list(range(objects + 1))
    assert list(drawn.segments) == list(range(1, objects + 1))
