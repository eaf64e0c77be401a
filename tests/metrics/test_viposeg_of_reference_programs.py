"""Numbers that the public VIPOSeg and DAVIS programs gave: an ordinary set, and small edge cases.

Where a program stops on legal data, ours gives the value that its definition implies; where it
prints NaN or infinity, the value is None, with a reason.
"""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from naive_objects import naive_davis_object, naive_statistics
from PIL import Image

from vps.metrics import DavisQuality, DavisRules, VIPOSegQuality
from vps.metrics.boundary import band_width, count_objects
from vps.metrics.contours import count_matches, disk_radius, match_contours
from vps.metrics.object_accuracy import statistics_of
from vps.structures import InputError

EXACT = 1e-12  # same rules, other order of summation


@pytest.fixture(scope="module")
def metrics_dir(shared_dir):
    folder = shared_dir / "oracles" / "metrics"
    if not folder.is_dir():
        pytest.skip("needs oracles/metrics in the shared folder, which is absent")
    return folder


@pytest.fixture(scope="module")
def expected(metrics_dir):
    return json.loads((metrics_dir / "expected_a.json").read_text())


@pytest.fixture(scope="module")
def files(metrics_dir):
    with zipfile.ZipFile(metrics_dir / "a.zip") as content:
        yield content


@pytest.fixture(scope="module")
def edge_cases(metrics_dir):
    return json.loads((metrics_dir / "edge_cases_vos.json").read_text())


def read(files, name):
    return np.asarray(Image.open(io.BytesIO(files.read(name))))


def pngs_below(files, folder):
    """{video: [file names]} of a folder of folders, sorted."""
    videos = {}
    for name in sorted(files.namelist()):
        if name.startswith(folder) and name.endswith(".png"):
            video, file = name.removeprefix(folder).split("/")
            videos.setdefault(video, []).append(file)
    return videos


def assert_close(got, want, where):
    if want in ("nan", "inf", "-inf"):
        assert got is None, where
    else:
        assert got == pytest.approx(want, abs=EXACT, rel=EXACT), where


def test_viposeg_of_the_set(files, expected):
    classes = json.loads(files.read("viposeg/valid/obj_class.json"))
    truth = pngs_below(files, "viposeg/valid/Annotations_gt/")
    given = pngs_below(files, "viposeg/valid/Annotations/")
    metric = VIPOSegQuality()
    for video, names in truth.items():
        references = {}
        for name in given[video]:
            for object_id in np.unique(read(files, f"viposeg/valid/Annotations/{video}/{name}")):
                if object_id:
                    references.setdefault(int(object_id), []).append(names.index(name))
        metric.update(
            video,
            (
                (
                    name,
                    read(files, f"viposeg/valid/Annotations_gt/{video}/{name}"),
                    read(files, f"viposeg/result/{video}/{name}"),
                )
                for name in names
            ),
            references=references,
            object_classes={int(i): int(category) for i, category in classes[video].items()},
        )
    result = metric.compute().as_dict()
    assert len(expected["viposeg"]) == 14 and not result["undefined"]
    for name, want in expected["viposeg"].items():
        assert_close(result[name], want, name)


@pytest.mark.parametrize("numba", ["0", "1"])
def test_davis_of_the_set(files, expected, numba, monkeypatch):
    monkeypatch.setenv("VPS_NUMBA", numba)
    truth = pngs_below(files, "davis/DAVIS/Annotations/480p/")
    metric = DavisQuality(year=2017)
    for video, names in truth.items():
        metric.update(
            video,
            (
                (
                    name,
                    read(files, f"davis/DAVIS/Annotations/480p/{video}/{name}"),
                    read(files, f"davis/result/{video}/{name}"),
                )
                for name in names
            ),
        )
    check_davis(metric.compute(), expected["davis2017_semi_supervised"])


def check_davis(result, expected):
    content = result.as_dict()
    for name, want in expected.items():
        if name != "per_object":
            assert_close(content[name], want, name)
    objects = content["per_object"]
    assert objects.keys() == expected["per_object"].keys()
    for name, (j, f) in expected["per_object"].items():
        assert_close(objects[name]["J-Mean"], j, name)
        assert_close(objects[name]["F-Mean"], f, name)


def frames_of(case):
    return [
        (str(index), np.array(gt, np.uint8), np.array(pred, np.uint8))
        for index, (gt, pred) in enumerate(zip(case["gt"], case["pred"], strict=True))
    ]


def viposeg_of(case):
    references = {}
    for index, ids in case["ref"].items():
        for object_id in ids:
            references.setdefault(object_id, []).append(int(index))
    metric = VIPOSegQuality()
    metric.update(
        case["video"],
        frames_of(case),
        references=references,
        object_classes={int(i): int(category) for i, category in case["classes"].items()},
    )
    return metric.compute()


def test_viposeg_edge_cases(edge_cases):
    seen = 0
    for case in edge_cases["cases"]:
        want, result = case["results"]["viposeg"], viposeg_of(case)
        content = result.as_dict()
        if isinstance(want, str):  # label 255 in a reference is void, not an object
            assert want.startswith("RAISES KeyError")
            rest = {
                index: [object_id for object_id in ids if str(object_id) in case["classes"]]
                for index, ids in case["ref"].items()
            }
            want = viposeg_of({**case, "ref": rest}).as_dict()
            assert want == content and content["thing_seen_iou"] is not None
            continue
        for name, value in want.items():
            assert_close(content[name], value, f"{case['name']}: {name}")
        undefined = {"overall_iou"} if want["overall_iou"] == "nan" else set()
        undefined |= {"decay"} if want["decay"] in ("nan", "inf") else set()
        assert undefined <= content["undefined"].keys(), case["name"]
        seen += 1
    assert seen > 9


@pytest.mark.parametrize("numba", ["0", "1"])
def test_davis_edge_cases(edge_cases, numba, monkeypatch):
    monkeypatch.setenv("VPS_NUMBA", numba)
    seen = 0
    for case in edge_cases["cases"]:
        want = case["results"]["davis2017_semi_supervised"]
        metric = DavisQuality(year=2017)
        metric.update("seq", frames_of(case))
        result = metric.compute()
        if isinstance(want, str):
            check_where_davis_stops(case, want, result)
        else:
            check_davis(result, want)
            seen += 1
    assert seen > 8


def check_where_davis_stops(case, message, result):
    """A predicted id beyond the objects belongs to no object; without a scored frame there is no
    value.
    """
    if "IndexError" in message:
        assert len(case["gt"]) <= 2
        assert result.total.jf_mean is None and result.reasons["J&F-Mean"]
        assert "seq" in result.remarks[0]
        return
    assert "SystemExit" in message
    with pytest.raises(InputError, match=r"object id \d+, but the largest object is"):
        refusing = DavisQuality(rules=DavisRules(unknown_objects="refuse"))
        refusing.update("seq", frames_of(case))
    for object_id, scores in result.per_object["seq"].items():
        j, f = naive_davis_object(frames_of(case), object_id)
        assert scores.j == pytest.approx(naive_statistics(j), abs=EXACT)
        assert scores.f == pytest.approx(naive_statistics(f), abs=EXACT)


def test_boundary_measures_of_one_pair(edge_cases):
    want = edge_cases["extra"]["boundary_measures_on_one_pair"]
    y, x = np.mgrid[:180, :320]
    gt = (((x - 150) / 60) ** 2 + ((y - 90) / 50) ** 2 < 1).astype(np.uint8)
    pred = (((x - 156) / 60) ** 2 + ((y - 93) / 48) ** 2 < 1).astype(np.uint8)
    counts = count_objects(gt, pred, [1], band_width(gt.shape))
    assert_close(counts.mask_iou()[0], want["mask_iou"], "mask IoU")
    assert_close(counts.boundary_iou()[0], want["viposeg_boundary_iou_ratio_0_02"], "band")
    matches = match_contours(gt, pred, [1], disk_radius(gt.shape))
    assert_close(matches.f_measure()[0], want["davis_f_measure_0_008"], "F")
    matches = match_contours(gt, pred, [1], disk_radius(gt.shape), matcher=count_matches)
    assert_close(matches.f_measure()[0], want["davis_f_measure_0_008"], "F, NumPy")
    # The other boundary measure of the VIPOSeg program, which it never calls: overlap of the bands.
    narrow = count_objects(gt, pred, [1], band_width(gt.shape, 0.008))
    precision = narrow.common_band[0] / narrow.pred_band[0]
    recall = narrow.common_band[0] / narrow.gt_band[0]
    f = 2 * precision * recall / (precision + recall)
    assert_close(f, want["viposeg_boundary_f_ratio_0_008"], "F of bands")


@pytest.mark.parametrize("length", [200, 300])
def test_davis_statistics(edge_cases, length):
    want = edge_cases["extra"][f"davis_statistics_{length}_frames"]["MRD"]
    values = np.linspace(1, 0, length)
    got = statistics_of(values)
    for value, expected in zip(got, want, strict=True):
        assert_close(value, expected, str(length))
    exact = statistics_of(values, quarter_edges="exact")
    assert exact == pytest.approx(naive_statistics(values.tolist()), abs=EXACT)
