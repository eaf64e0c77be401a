"""Panoptic results: what is written comes back, in the documented layout, whole or not at all."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from vps.io.results import PanopticResultWriter, read_results
from vps.structures import Category, InputError, PanopticFrame, Segment, rgb_to_ids

CATEGORIES = [
    Category("person", True, (220, 20, 60), dataset_id=24),
    Category("road", False, (128, 64, 128), dataset_id=7),
    Category("car", True, (0, 0, 142), dataset_id=0),  # 0 is a valid id
]
# segment id -> segment; ids of more than one byte, and a crowd
SEGMENTS = {
    2: Segment(1, False, 0.5),
    4: Segment(0, True, 0.875),
    70_000: Segment(2, True, 1.0),
    16_777_215: Segment(0, True, 0.25, iscrowd=True),
}


def make_frame(index: int, shape=(20, 30)) -> PanopticFrame:
    rng = np.random.default_rng(index)
    ids = rng.choice(np.array([0, *SEGMENTS], dtype=np.int32), size=shape)
    return PanopticFrame(f"{index:05d}", ids, SEGMENTS)


def write(folder, videos, **options):
    writer = PanopticResultWriter(folder, CATEGORIES, **options)
    for video_id, frames in videos.items():
        with writer.video(video_id) as video:
            for frame in frames:
                video.write(frame)
    return writer


def files_in(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


@pytest.mark.parametrize("form", ["panoptic", "vipseg"])
def test_round_trip(tmp_path, form):
    videos = {"b": [make_frame(i) for i in range(3)], "a/left": [make_frame(9)]}
    write(tmp_path, videos, form=form).finish()
    results = read_results(tmp_path)
    assert results.categories == CATEGORIES
    assert list(results.videos) == ["a/left", "b"]
    for video_id, frames in videos.items():
        video = results.videos[video_id]
        assert len(video) == len(frames) and video.frame_ids == [f.frame_id for f in frames]
        for expected, frame in zip(frames, video):
            assert frame.frame_id == expected.frame_id and frame.ids.dtype == np.int32
            np.testing.assert_array_equal(frame.ids, expected.ids)
            for segment_id, segment in frame.segments.items():
                area = int((expected.ids == segment_id).sum())
                assert segment == SEGMENTS[segment_id]._replace(area=area)


def test_layout_of_the_panoptic_video_json(tmp_path):
    frame = make_frame(0)
    path = write(tmp_path, {"v": [frame]}).finish()
    assert path == tmp_path / "panoptic.json"
    assert files_in(tmp_path) == ["panoptic.json", "panoptic/v/00000.png"]
    content = json.loads(path.read_text())
    assert content["categories"][0] == {
        "id": 24, "name": "person", "isthing": 1, "color": [220, 20, 60],
    }  # fmt: skip
    assert content["videos"] == [
        {
            "video_id": "v",
            "images": [{"id": "00000", "file_name": "00000.jpg", "width": 30, "height": 20}],
        }
    ]
    (video,) = content["annotations"]
    (annotation,) = video["annotations"]
    assert video["video_id"] == "v"
    assert (annotation["image_id"], annotation["file_name"]) == ("00000", "00000.png")
    assert annotation["segments_info"][0] == {
        "id": 2, "category_id": 7, "iscrowd": 0, "area": int((frame.ids == 2).sum()), "score": 0.5,
    }  # fmt: skip
    assert [info["category_id"] for info in annotation["segments_info"]] == [7, 24, 0, 24]
    assert [info["iscrowd"] for info in annotation["segments_info"]] == [0, 0, 0, 1]
    png = Image.open(tmp_path / "panoptic/v/00000.png")
    assert png.mode == "RGB"
    np.testing.assert_array_equal(rgb_to_ids(np.asarray(png)), frame.ids)


def test_vipseg_form_has_its_names_and_boxes(tmp_path):
    ids = np.zeros((20, 30), np.int32)
    ids[3:7, 10:19] = 4
    frame = PanopticFrame("00000322", ids, SEGMENTS)
    write(tmp_path, {"12_abc": [frame]}, form="vipseg").finish()
    assert files_in(tmp_path) == ["pan_pred/12_abc/00000322.png", "pred.json"]
    (video,) = json.loads((tmp_path / "pred.json").read_text())["annotations"]
    (info,) = video["annotations"][0]["segments_info"]
    assert (info["id"], info["bbox"], info["area"]) == (4, [10, 3, 9, 4], 36)


def test_videos_stand_in_the_order_asked_for(tmp_path):
    writer = write(tmp_path, {name: [make_frame(0)] for name in "abc"})
    writer.finish(["c", "a"])
    assert list(read_results(tmp_path).videos) == ["c", "a"]


def test_several_writers_share_a_folder_and_one_finishes(tmp_path):
    for name in "ab":
        write(tmp_path, {name: [make_frame(0)]})
    writer = PanopticResultWriter(tmp_path, CATEGORIES)
    assert writer.is_written("a") and not writer.is_written("c")
    with pytest.raises(InputError, match=r"of 3 videos .* those of c are missing"):
        writer.finish(["a", "b", "c"])
    writer.finish(["a", "b"])
    assert list(read_results(tmp_path).videos) == ["a", "b"]


def test_an_error_leaves_nothing_of_the_video_and_the_others_whole(tmp_path):
    writer = write(tmp_path / "out", {"good": [make_frame(0)]})
    before = files_in(tmp_path)
    with pytest.raises(RuntimeError), writer.video("bad") as video:
        video.write(make_frame(0))
        raise RuntimeError
    assert files_in(tmp_path) == before
    with pytest.raises(RuntimeError), writer.video("good") as video:  # a second try that fails
        raise RuntimeError
    assert files_in(tmp_path) == before


def test_an_error_in_a_new_folder_leaves_no_folder(tmp_path):
    with (
        pytest.raises(RuntimeError),
        PanopticResultWriter(tmp_path / "new", CATEGORIES).video("a/b") as video,
    ):
        video.write(make_frame(0))
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_video_written_again_is_replaced(tmp_path):
    write(tmp_path, {"v": [make_frame(i) for i in range(3)]}).finish()
    write(tmp_path, {"v": [make_frame(5)]}).finish()
    assert files_in(tmp_path) == ["panoptic.json", "panoptic/v/00005.png"]


def test_segments_without_pixels_are_left_out(tmp_path):
    frame = PanopticFrame("0", np.full((4, 4), 2, np.int32), SEGMENTS)
    write(tmp_path, {"v": [frame]}).finish()
    (back,) = read_results(tmp_path).videos["v"]
    assert set(back.segments) == {2}


# frames, what the error says
BAD_FRAMES = [
    ([], "at least one frame in video v"),
    ([PanopticFrame("0", np.full((4, 4), 9, np.int32), SEGMENTS)], "frame 0 of video v.*id 9"),
    ([PanopticFrame("0", np.full((4, 4), -1, np.int32), SEGMENTS)], "id -1"),
    ([make_frame(0), make_frame(0)], "frame 00000 of video v was written twice"),
    ([make_frame(0), make_frame(1, (4, 4))], r"\(20, 30\), got \(4, 4\)"),
    ([PanopticFrame("../x", np.zeros((4, 4), np.int32), {})], "got '../x'"),
    ([PanopticFrame("a/b", np.zeros((4, 4), np.int32), {})], "got 'a/b'"),
]


@pytest.mark.parametrize("frames, message", BAD_FRAMES)
def test_bad_frames_are_refused_and_leave_nothing(tmp_path, frames, message):
    with pytest.raises(InputError, match=message):
        write(tmp_path / "out", {"v": frames})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "/abs", "../up", "a/../../b", "a\\b"])
def test_video_names_that_leave_the_folder_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="video name"):
        write(tmp_path / "out", {name: [make_frame(0)]})


def spoil_category(content, folder):
    content["annotations"][0]["annotations"][0]["segments_info"][0]["category_id"] = 99


def spoil_field(content, folder):
    del content["annotations"]


def spoil_segment(content, folder):
    content["annotations"][0]["annotations"][0]["segments_info"].pop()


def spoil_png(content, folder):
    (folder / "panoptic/v/00000.png").unlink()


@pytest.mark.parametrize(
    "spoil, message",
    [
        (spoil_category, "category_id 99"),
        (spoil_field, "panoptic.json.*'annotations' is missing"),
        (spoil_segment, "16777215 are painted in .*00000.png"),
        (spoil_png, "00000.png does not exist"),
    ],
)
def test_spoilt_results_are_found_out(tmp_path, spoil, message):
    path = write(tmp_path, {"v": [make_frame(0)]}).finish()
    content = json.loads(path.read_text())
    spoil(content, tmp_path)
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        list(read_results(tmp_path).videos["v"])


def test_no_results_is_said(tmp_path):
    with pytest.raises(InputError, match=r"panoptic\.json or pred\.json"):
        read_results(tmp_path)
