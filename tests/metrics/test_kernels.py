"""The compiled counting gives what NumPy gives, and stays out of the way where it is not wanted."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from vps import compiled
from vps.compiled import load_kernels
from vps.metrics.frame_table import FrameTable, count_pairs, count_run_pairs
from vps.structures import MAX_ID, InputError, LabelRuns, Segment


@pytest.fixture(params=["numpy", "numba"])
def path(request, monkeypatch) -> str:
    """Each path in turn."""
    if request.param == "numba":
        pytest.importorskip("numba")
        monkeypatch.delenv("VPS_NUMBA", raising=False)
        assert load_kernels("vps.metrics.kernels") is not None
    else:
        monkeypatch.setenv("VPS_NUMBA", "0")
    return request.param


def random_pair(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two maps int32 of one random size: blocks or noise, few ids or thousands of them."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 90, 2))
    most = rng.choice([1, 2, 20, 300, 5000])
    pool = rng.choice(MAX_ID + 1, most, replace=False)
    maps = []
    for _ in range(2):
        block = rng.integers(1, 12, 2) if rng.random() < 0.7 else (1, 1)
        coarse = rng.choice(pool, (shape[0] // block[0] + 1, shape[1] // block[1] + 1))
        fine = np.kron(coarse, np.ones(block, int))
        maps.append(fine[: shape[0], : shape[1]].astype(np.int32))
    return maps[0], maps[1]


def expected_pairs(gt: np.ndarray, pred: np.ndarray) -> list[tuple[int, int, int]]:
    stacked = np.stack([gt.ravel(), pred.ravel()]).astype(np.int64)
    pairs, pixels = np.unique(stacked, axis=1, return_counts=True)
    return list(zip(*pairs.tolist(), pixels.tolist(), strict=True))


@pytest.mark.parametrize("seed", range(40))
def test_random_maps(path, seed):
    gt, pred = random_pair(seed)
    result = count_pairs(gt, pred)
    assert [part.dtype for part in result] == [np.int64] * 3
    assert list(zip(*(part.tolist() for part in result), strict=True)) == expected_pairs(gt, pred)


@pytest.mark.parametrize(
    ("gt", "pred"),
    [
        ([5], [7]),
        ([0, 0, 0], [0, 0, 0]),
        ([1, 2, 3], [3, 3, 3]),
        ([1, 1, 2, 2], [1, 2, 2, 1]),
        ([MAX_ID, 0, MAX_ID], [0, MAX_ID, MAX_ID]),
    ],
)
def test_small_maps(path, gt, pred):
    gt, pred = np.array([gt], np.int32), np.array([pred], np.int32)
    result = zip(*(part.tolist() for part in count_pairs(gt, pred)), strict=True)
    assert list(result) == expected_pairs(gt, pred)


def test_more_pairs_than_the_table_begins_with(path):
    """The hash table grows several times."""
    gt = np.arange(60_000, dtype=np.int32).reshape(200, 300)
    _, _, pixels = count_pairs(gt, gt[::-1])
    assert pixels.tolist() == [1] * 60_000


def test_runs_that_are_cut_finer_than_needed(path):
    """A reader may begin a new run at every row; empty maps have none."""
    runs = LabelRuns((2, 3), np.array([0, 1, 3, 4, 5]), np.array([4, 4, 4, 9, 9], np.int32))
    result = count_run_pairs(runs, LabelRuns.from_map(np.array([[1, 1, 2], [2, 2, 2]])))
    assert [part.tolist() for part in result] == [[4, 4, 9], [1, 2, 2], [2, 2, 2]]
    empty = LabelRuns.from_map(np.zeros((0, 3), np.int32))
    assert [part.tolist() for part in count_run_pairs(empty, empty)] == [[], [], []]


def test_other_integer_types(path):
    gt, pred = random_pair(0)
    for dtype in (np.uint8, np.uint16, np.int64):
        for one, two in zip(
            count_pairs(gt.astype(dtype), pred.astype(dtype)),
            count_pairs(gt.astype(dtype).astype(np.int32), pred.astype(dtype).astype(np.int32)),
            strict=True,
        ):
            np.testing.assert_array_equal(one, two)


def test_bad_ids_are_named(path):
    ids = np.array([[1, -1], [2**24, 1]], np.int32)
    segments = {1: Segment(0, False)}
    with pytest.raises(InputError, match=r"got -1, 16777216 in the prediction of frame f"):
        FrameTable.from_maps(ids * 0 + 1, segments, ids, segments, frame_id="f")


def test_both_ways_from_maps_and_from_runs(path):
    gt, pred = random_pair(3)
    segments = [{int(i): Segment(0, False) for i in np.unique(ids) if i > 0} for ids in (gt, pred)]
    one = FrameTable.from_maps(gt, segments[0], pred, segments[1], frame_id="f")
    two = FrameTable.from_runs(
        LabelRuns.from_map(gt), segments[0], LabelRuns.from_map(pred), segments[1], frame_id="f"
    )
    for name in ("gt_ids", "pred_ids", "pixels"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_threads_at_once(path):
    pairs = [random_pair(seed) for seed in range(8)] * 4
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda pair: count_pairs(*pair), pairs))
    for pair, result in zip(pairs, results, strict=True):
        assert list(zip(*(x.tolist() for x in result), strict=True)) == expected_pairs(*pair)


def test_the_environment_switches_it_off(monkeypatch):
    monkeypatch.setenv("VPS_NUMBA", "0")
    assert load_kernels("vps.metrics.kernels") is None


@pytest.mark.parametrize("broken", [None, "a module that raises"])
def test_without_a_usable_numba(monkeypatch, tmp_path, caplog, broken):
    """Absent numba is nothing to speak of; one that cannot be imported is worth a warning."""
    monkeypatch.delenv("VPS_NUMBA", raising=False)
    compiled._import_with_numba.cache_clear()
    if broken is None:
        monkeypatch.setitem(sys.modules, "numba", None)
    else:
        (tmp_path / "numba.py").write_text("raise ImportError('needs another NumPy')")
        monkeypatch.delitem(sys.modules, "numba", raising=False)
        monkeypatch.syspath_prepend(tmp_path)
    try:
        assert load_kernels("vps.metrics.kernels") is None
        assert ("needs another NumPy" in caplog.text) == (broken is not None)
        assert count_pairs(np.ones((2, 2), np.int32), np.ones((2, 2), np.int32))[2] == [4]
    finally:
        compiled._import_with_numba.cache_clear()


@pytest.mark.parametrize("module", ["vps.metrics", "vps.io", "vps.structures"])
def test_numba_is_not_imported_before_its_use(module):
    code = f"import sys, {module}; sys.exit('numba' in sys.modules or 'deflate' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_kernels_compile_where_nothing_can_be_kept_on_disk(monkeypatch):
    numba = pytest.importorskip("numba")
    njit, refused = numba.njit, []

    def njit_in_a_read_only_place(*functions, cache=False, **options):
        if cache:
            refused.append(cache)
            raise RuntimeError("cannot cache function: no locator available")
        return njit(*functions, **options)

    monkeypatch.setattr(numba, "njit", njit_in_a_read_only_place)
    successor = compiled.kernel(lambda number: number + 1)
    monkeypatch.undo()
    assert refused and successor(1) == 2
