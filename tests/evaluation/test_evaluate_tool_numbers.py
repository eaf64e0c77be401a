"""tools/evaluate.py from end to end: the numbers of the reference programs, mode by mode."""

from __future__ import annotations

import json

import pytest
from evaluate_files import (
    EXACT,
    assert_groups,
    assert_windows,
    flat_copy,
    scores_of,
    vipseg_options,
)

FLOAT32 = 1e-6


def test_vipseg(tool, set_a, tmp_path, capsys):
    folder, expected = set_a
    options = ["--windows", "1,2,4,6,8", "--metrics", "vpq,stq,pq,miou", "--quiet"]
    assert tool(["vipseg", *vipseg_options(folder), *options, "--output", str(tmp_path)]) == 0
    scores = scores_of(tmp_path)
    vpq = scores["scores"]["VPQ(1,2,4,6,8)"]
    assert_windows(vpq["per_window"], expected["vipseg_vpq"])
    mean = sum(expected["vipseg_vpq"][k]["All"]["pq"] for k in "12468") / 5
    assert vpq["all"] == pytest.approx(mean, abs=EXACT, rel=0)
    stq, want = scores["scores"]["STQ"], expected["vipseg_stq"]
    for ours, theirs in (("STQ", "STQ"), ("AQ", "AQ"), ("SQ", "IoU")):
        assert stq[ours] == pytest.approx(want[theirs], abs=EXACT, rel=0)
    for name, value in zip(scores["video_ids"], want["STQ_per_seq"], strict=True):
        assert stq["per_video"][name]["STQ"] == pytest.approx(value, abs=EXACT, rel=0)
    assert_groups(scores["scores"]["PQ"], expected["panopticapi_pq"])
    assert (scores["num_videos"], scores["num_frames"]) == (4, 96)
    printed = capsys.readouterr().out
    assert "VPQ(1,2,4,6,8)" in printed and f"{100 * mean:.3f}" in printed


def test_the_same_windows_as_vps(tool, set_a, tmp_path):
    folder, expected = set_a
    options = ["--windows", "1,2,3,4", "--metrics", "vpq", "--quiet", "--output", str(tmp_path)]
    assert tool(["vipseg", *vipseg_options(folder), *options]) == 0
    per_window = scores_of(tmp_path)["scores"]["VPQ(1,2,3,4)"]["per_window"]
    assert_windows(per_window, expected["vps_vpq"])


@pytest.mark.parametrize("rules", ["vipseg", "deeplab2"])
def test_stq(tool, set_a, tmp_path, rules):
    folder, expected = set_a
    options = ["--stq-rules", rules, "--quiet", "--output", str(tmp_path)]
    assert tool(["stq", *vipseg_options(folder), *options]) == 0
    scores = scores_of(tmp_path)
    want = expected["vipseg_stq" if rules == "vipseg" else "deeplab2_numpy_stq"]
    assert scores["scores"].keys() == {"STQ", "mIoU"}
    if rules == "vipseg":  # that of deeplab2 was computed with the driver of VIPSeg's script
        assert scores["scores"]["STQ"]["STQ"] == pytest.approx(want["STQ"], abs=EXACT, rel=0)
    assert scores["scores"]["STQ"]["SQ"] == pytest.approx(want["IoU"], abs=FLOAT32, rel=0)
    assert scores["settings"]["rules"]["stq"]["crowd"] == (
        "first_listed" if rules == "vipseg" else "listed"
    )


def test_cityscapes_vps(tool, set_a, tmp_path, capsys):
    """Clips of six; predictions without any name, paired by position."""
    folder, expected = set_a
    options = flat_copy(folder, tmp_path, named=False)
    assert tool(["cityscapes_vps", *options, "--output", str(tmp_path / "out")]) == 0
    scores = scores_of(tmp_path / "out")
    assert_windows(
        scores["scores"]["VPQ(k=0,5,10,15)"]["per_window"], expected["vps_vpq_clips_of_6"]
    )
    assert scores["num_videos"] == 4
    assert "window 4 (k=15)" in capsys.readouterr().out


def test_panoptic_images(tool, set_a, tmp_path):
    folder, expected = set_a
    options = flat_copy(folder, tmp_path, named=True)
    assert tool(["panoptic", *options, "--output", str(tmp_path / "out")]) == 0
    scores = scores_of(tmp_path / "out")
    assert_groups(scores["scores"]["PQ"], expected["panopticapi_pq"])
    assert (scores["num_videos"], scores["num_frames"]) == (96, 96)


def test_viper(tool, set_a, tmp_path):
    """Only that the mode runs, and that its class 11 is left out; there is no official number."""
    options = flat_copy(set_a[0], tmp_path, named=False)
    assert tool(["viper", *options, "--output", str(tmp_path / "out")]) == 0
    scores = scores_of(tmp_path / "out")
    assert scores["settings"]["excluded_classes"] == [11]
    assert scores["settings"]["rules"]["vpq"]["min_tube_area"] == 1024
    assert scores["scores"]["VPQ(1,5,10,15)"]["all"] is not None


def score_objects(tool, mode, root, truth, output):
    """Scores of ``root/result`` against ``root/truth``."""
    options = ["--gt", str(root / truth), "--pred", str(root / "result"), "--quiet"]
    assert tool([mode, *options, "--output", str(output)]) == 0
    return scores_of(output)["scores"][mode]


def test_viposeg(tool, set_a, tmp_path):
    folder, expected = set_a
    scores = score_objects(tool, "viposeg", folder / "viposeg", "valid", tmp_path)
    for name, want in expected["viposeg"].items():
        assert scores[name] == pytest.approx(want, abs=EXACT, rel=EXACT), name


def test_davis2017(tool, set_a, tmp_path):
    folder, expected = set_a
    scores = score_objects(tool, "davis2017", folder / "davis", "DAVIS", tmp_path)
    want = expected["davis2017_semi_supervised"]
    for name in ("J&F-Mean", "J-Mean", "J-Recall", "J-Decay", "F-Mean", "F-Recall", "F-Decay"):
        assert scores[name] == pytest.approx(want[name], abs=EXACT, rel=0), name
    for name, (j, f) in want["per_object"].items():
        row = scores["per_object"][name]
        assert (row["J-Mean"], row["F-Mean"]) == pytest.approx((j, f), abs=EXACT, rel=0)


def test_davis2016_and_youtube_vos_run(tool, set_a, tmp_path):
    """On files of the same layout; values are those of the metrics' own tests."""
    folder, _ = set_a
    root = folder / "davis"
    (tmp_path / "DAVIS" / "ImageSets" / "2016").mkdir(parents=True)
    (tmp_path / "DAVIS" / "Annotations").symlink_to(root / "DAVIS" / "Annotations")
    (tmp_path / "DAVIS" / "ImageSets" / "2016" / "val.txt").write_text(
        "/JPEGImages/480p/0-synth00/00000.jpg /Annotations/480p/0-synth00/00000.png\n"
        "/JPEGImages/480p/0-synth00/00001.jpg /Annotations/480p/0-synth00/00001.png\n"
    )
    options = ["--pred", str(root / "result"), "--quiet", "--allow-extra"]
    out = tmp_path / "out"
    gt = ["--gt", str(tmp_path / "DAVIS"), "--output", str(out)]
    assert tool(["davis2016", *gt, *options]) == 0
    assert scores_of(out)["num_videos"] == 1
    (tmp_path / "valid").mkdir()
    (tmp_path / "valid" / "Annotations").symlink_to(root / "DAVIS" / "Annotations" / "480p")
    meta = {"videos": {"1-synth01": {"objects": {"1": {"category": "dog", "frames": ["00000"]}}}}}
    for path in (tmp_path / "valid" / "meta.json", tmp_path / "train.json"):
        path.write_text(json.dumps(meta))
    gt = ["--gt", str(tmp_path / "valid"), "--train-meta", str(tmp_path / "train.json")]
    assert tool(["youtube_vos", *gt, *options, "--output", str(out)]) == 0
    scores = scores_of(out)["scores"]["youtube_vos"]
    assert scores["num_objects"] == {"seen": 1, "unseen": 0, "unknown": 0}
    assert scores["overall"] is None and "unseen" in scores["undefined"]["j_unseen"]
