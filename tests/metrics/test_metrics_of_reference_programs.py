"""Numbers that the public reference programs gave: an ordinary set, and small edge cases.

Where a reference program stops on legal data the expected value is None (undefined, with a reason).
"""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from vps.metrics import (
    CITYSCAPES_VPS_RULES,
    DEEPLAB2_RULES,
    PANOPTICAPI_RULES,
    FrameTable,
    PanopticQuality,
    SegmentationTrackingQuality,
    VideoPanopticQuality,
    VideoTables,
)
from vps.structures import Category, InputError, Segment, rgb_to_ids

# Same rules, other order of summation.
EXACT = 1e-12
FLOAT32 = 1e-6  # that program counts in float32

# Edge cases with files that both VPQ programs refuse; we refuse them for every metric.
REFUSED = {"pred_id_in_json_not_in_png", "pred_id_in_png_not_in_json", "unknown_category"}


def categories_of(rows):
    return [Category(r["name"], bool(r["isthing"]), tuple(r["color"]), r["id"]) for r in rows]


def segments_of(infos, contiguous):
    """Pairs instead of a dict: one of the cases lists an id twice."""
    return [
        (
            s["id"],
            Segment(contiguous.get(s["category_id"], -1), True, 1.0, bool(s["iscrowd"]), s["area"]),
        )
        for s in infos
    ]


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
def set_a(metrics_dir):
    """The categories and the tables of the four videos, in the order of the JSON."""
    with zipfile.ZipFile(metrics_dir / "a.zip") as files:

        def ids(name):
            return rgb_to_ids(np.asarray(Image.open(io.BytesIO(files.read(name)))))

        truth = json.loads(files.read("vipseg/panoptic_gt_VIPSeg_val.json"))
        predictions = json.loads(files.read("vipseg/pred/pred.json"))
        contiguous = {row["id"]: index for index, row in enumerate(truth["categories"])}
        predicted = {
            (video["video_id"], frame["image_id"]): frame["segments_info"]
            for video in predictions["annotations"]
            for frame in video["annotations"]
        }
        videos = []
        for video in truth["annotations"]:
            name = video["video_id"]
            tables = [
                FrameTable.from_maps(
                    ids(f"vipseg/gt/panomasksRGB/{name}/{frame['file_name']}"),
                    segments_of(frame["segments_info"], contiguous),
                    ids(f"vipseg/pred/pan_pred/{name}/{frame['file_name']}"),
                    segments_of(predicted[name, frame["image_id"]], contiguous),
                    frame_id=frame["image_id"],
                    video_id=name,
                )
                for frame in video["annotations"]
            ]
            videos.append(VideoTables.from_frames(name, tables))
    return categories_of(truth["categories"]), videos


def assert_scores(scores, expected, tolerance=EXACT):
    """PQ, SQ, RQ, N by group and, where the reference has them, the counts per class."""
    for name, group in scores.groups.items():
        want = expected[name]
        if want == "ZeroDivisionError" or want.get("n") == 0 or want.get("pq") in ("nan", None):
            assert (group.pq, group.sq, group.rq, group.n) == (None, None, None, 0)
            assert group.reason
            continue
        for key in want:
            assert getattr(group, key) == pytest.approx(want[key], abs=tolerance, rel=0), name
    if "per_class_iou_tp_fp_fn" in expected:
        want = {int(key): row for key, row in expected["per_class_iou_tp_fp_fn"].items()}
        got = scores.per_class()
        assert got.keys() == want.keys()
        for category, (iou, *counts) in want.items():
            assert list(got[category][1:]) == counts
            assert got[category][0] == pytest.approx(iou, abs=tolerance, rel=tolerance)


@pytest.mark.parametrize(
    ("program", "rules"),
    [
        ("vipseg_vpq", {}),
        ("vps_vpq", {}),
        ("vps_vpq_clips_of_6", {"rules": CITYSCAPES_VPS_RULES}),
        ("deeplab2_vpq_shim", {"rules": DEEPLAB2_RULES}),
    ],
)
def test_vpq_of_the_set(set_a, expected, program, rules):
    categories, videos = set_a
    windows = [int(k) for k in expected[program]]
    metric = VideoPanopticQuality(categories, windows, **rules)
    for video in videos:
        metric.update(video)
    result = metric.compute()
    for k in windows:
        assert_scores(result.per_window[k], expected[program][str(k)])
    mean = sum(expected[program][str(k)]["All"]["pq"] for k in windows) / len(windows)
    assert result.all == pytest.approx(mean, abs=EXACT, rel=0)
    assert result.name == f"VPQ({','.join(map(str, windows))})"


def test_image_pq_of_the_set(set_a, expected):
    categories, videos = set_a
    metric = PanopticQuality(categories, rules=PANOPTICAPI_RULES)
    for video in videos:
        metric.update(video)
    assert_scores(metric.compute(), expected["panopticapi_pq"])


@pytest.mark.parametrize(
    ("program", "tolerance"), [("vipseg_stq", EXACT), ("deeplab2_numpy_stq", FLOAT32)]
)
def test_stq_of_the_set(set_a, expected, program, tolerance):
    categories, videos = set_a
    metric = SegmentationTrackingQuality(categories)
    for video in videos:
        metric.update(video)
    assert_stq(metric.compute(), [v.video_id for v in videos], expected[program], tolerance)


def assert_stq(result, video_ids, expected, tolerance):
    def close(value, want):
        if want == "nan":
            assert value is None
        else:
            assert value == pytest.approx(want, abs=tolerance, rel=0)

    total = result.total
    for value, key in ((total.stq, "STQ"), (total.aq, "AQ"), (total.sq, "IoU")):
        close(value, expected[key])
    for index, video_id in enumerate(video_ids):
        scores = result.per_video[video_id]
        for value, key in ((scores.stq, "STQ"), (scores.aq, "AQ"), (scores.sq, "IoU")):
            close(value, expected[f"{key}_per_seq"][index])
        assert scores.num_frames == expected["Length_per_seq"][index]
        assert scores.num_tubes == expected["gt_tubes_per_seq"][index]
    assert (total.reason is not None) == ("nan" in (expected["STQ"], expected["AQ"]))


def edge_case_tables(case, contiguous):
    tables = [
        FrameTable.from_maps(
            np.array(frame["gt"], np.int32),
            segments_of(frame["gt_segments"], contiguous),
            np.array(frame["pred"], np.int32),
            segments_of(frame["pred_segments"], contiguous),
            frame_id=str(index),
            video_id=case["name"],
            strict_ground_truth=False,
        )
        for index, frame in enumerate(case["frames"])
    ]
    return VideoTables.from_frames(case["name"], tables)


def test_edge_cases(metrics_dir):
    content = json.loads((metrics_dir / "edge_cases.json").read_text())
    categories = categories_of(content["categories"])
    contiguous = {category.dataset_id: index for index, category in enumerate(categories)}
    seen = set()
    for case in content["cases"]:
        seen.add(case["name"])
        if case["name"] in REFUSED:
            with pytest.raises(InputError, match=f"frame 0 of video {case['name']}"):
                video = edge_case_tables(case, contiguous)
                VideoPanopticQuality(categories, case["ks"]).update(video)
            continue
        video = edge_case_tables(case, contiguous)
        for program, results in case["results"].items():
            try:
                check_edge_case(video, categories, case["ks"], program, results)
            except AssertionError as error:
                raise AssertionError(f"{case['name']}, {program}: {error}") from error
    assert len(seen) == len(content["cases"]) > 20


def check_edge_case(video, categories, windows, program, results):
    if program.endswith("stq"):
        metric = SegmentationTrackingQuality(categories)
        metric.update(video)
        tolerance = EXACT if program == "vipseg_stq" else FLOAT32
        assert_stq(metric.compute(), [video.video_id], results, tolerance)
    elif program == "panopticapi_pq":
        metric = PanopticQuality(categories, rules=PANOPTICAPI_RULES)
        metric.update(video)
        assert_scores(metric.compute(), results)
    else:
        rules = {"rules": DEEPLAB2_RULES} if program == "deeplab2_vpq_shim" else {}
        metric = VideoPanopticQuality(categories, windows, **rules)
        metric.update(video)
        result = metric.compute()
        for k in windows:
            assert_scores(result.per_window[k], results[str(k)])
