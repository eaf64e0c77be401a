"""Which masks a record gives, frame by frame: from reference files, or at first appearance."""

from __future__ import annotations

import numpy as np
import pytest

from vps.io import (
    iterate_references,
    read_reference_frames,
    record_objects,
    record_references,
    write_panoptic_png,
)
from vps.io.index_png import write_index_png
from vps.structures import Frame, InputError, VideoRecord, as_policy

SHAPE = (6, 8)


def paint(**boxes: tuple[int, slice, slice]) -> np.ndarray:
    ids = np.zeros(SHAPE, np.int32)
    for number, rows, columns in boxes.values():
        ids[rows, columns] = number
    return ids


TOP, BOTTOM = slice(0, 3), slice(3, 6)
LEFT, RIGHT = slice(0, 4), slice(4, 8)
# Object 3 first, then 3 with 70 000, then 70 000 alone, then 5 (a crowd) and 7 as well.
LABELS = [
    paint(a=(3, TOP, LEFT)),
    paint(a=(3, TOP, RIGHT), b=(70_000, BOTTOM, LEFT)),
    paint(b=(70_000, BOTTOM, RIGHT)),
    paint(a=(3, TOP, LEFT), b=(7, TOP, RIGHT), c=(5, BOTTOM, LEFT)),
]
KINDS = {3: (0, True), 70_000: (2, False), 7: (1, True), 5: (1, True)}


def make_record(folder, labels=LABELS, **more) -> VideoRecord:
    names = [f"{t:02d}" for t in range(len(labels))]
    paths, infos = [], []
    for name, ids in zip(names, labels):
        paths.append(str(folder / f"{name}.png"))
        write_panoptic_png(paths[-1], ids)
        infos.append([describe(i) for i in np.unique(ids).tolist() if i])
    return VideoRecord(
        video_id="film",
        height=SHAPE[0],
        width=SHAPE[1],
        length=len(labels),
        file_names=[str(folder / f"{name}.jpg") for name in names],
        image_ids=names,
        labelled=[True] * len(labels),
        pan_seg_file_names=paths,
        segments_infos=infos,
        **more,
    )


def describe(object_id: int) -> dict:
    category, isthing = KINDS[object_id]
    crowd = object_id == 5
    return {"id": object_id, "category_id": category, "isthing": isthing, "iscrowd": crowd}


def frame(name: str, shape=SHAPE) -> Frame:
    return Frame(name, np.zeros((*shape, 3), np.uint8))


def test_objects_are_given_where_they_first_appear(tmp_path):
    record = make_record(tmp_path)
    references = record_references(record)
    given = [references(frame(name)) for name in record["image_ids"]]
    assert [g and sorted(g.segments) for g in given] == [[3], [70_000], None, [7]]
    np.testing.assert_array_equal(given[0].ids, LABELS[0])
    np.testing.assert_array_equal(given[1].ids, np.where(LABELS[1] == 70_000, 70_000, 0))
    assert given[1].segments[70_000].category == 2 and not given[1].segments[70_000].isthing
    assert given[3].frame_id == "03" and given[3].ids.dtype == np.int32
    assert read_reference_frames(record) == {3: [0], 7: [3], 70_000: [1]}
    assert set(record_objects(record)) == {3, 7, 70_000}  # a crowd is no object


def test_labels_that_can_bring_nothing_new_are_not_read(tmp_path):
    record = make_record(tmp_path)
    (tmp_path / "02.png").unlink()
    assert read_reference_frames(record) == {3: [0], 7: [3], 70_000: [1]}
    (tmp_path / "03.png").unlink()
    with pytest.raises(InputError, match=r"03\.png"):
        read_reference_frames(record)


def test_an_unlabelled_frame_gives_nothing(tmp_path):
    record = make_record(tmp_path)
    record["labelled"][0] = False
    record["pan_seg_file_names"][0] = record["segments_infos"][0] = None
    assert [g and sorted(g.segments) for g in iterate_references(record)] == [
        None,
        [3, 70_000],
        None,
        [7],
    ]


def index_record(folder, given: list[np.ndarray | None]) -> VideoRecord:
    """Labels and references as index PNGs; one list of objects serves all frames."""
    listed = [describe(3), describe(7)]
    labels = [np.where(ids == 70_000, 255, ids) for ids in LABELS[:3]]
    record = make_record(folder, [LABELS[0]] * 3, label_coding="index")
    names = []
    for t, (ids, reference) in enumerate(zip(labels, given)):
        write_index_png(record["pan_seg_file_names"][t], ids)
        record["segments_infos"][t] = listed
        names.append(None if reference is None else str(folder / f"given-{t}.png"))
        if reference is not None:
            write_index_png(names[-1], reference)
    record["reference_file_names"] = names
    return record


def test_reference_files_say_what_is_given(tmp_path):
    given = [None, paint(a=(7, TOP, LEFT), b=(255, BOTTOM, LEFT)), paint(a=(7, TOP, RIGHT))]
    record = index_record(tmp_path, given)
    found = list(iterate_references(record))
    assert found[0] is None
    np.testing.assert_array_equal(found[1].ids, paint(a=(7, TOP, LEFT)))  # 255 is void
    # A mask may be given again, and the evaluators want to know.
    assert read_reference_frames(record) == {7: [1, 2]}


def test_a_file_may_give_nothing(tmp_path):
    record = index_record(tmp_path, [paint(), None, None])
    assert list(iterate_references(record)) == [None, None, None]
    assert read_reference_frames(record) == {}


def test_a_reference_needs_a_class(tmp_path):
    record = index_record(tmp_path, [paint(a=(9, TOP, LEFT)), None, None])
    with pytest.raises(InputError, match=r"given-0\.png give object 9, which no frame of video"):
        list(iterate_references(record))


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("01", SHAPE, "expected frame 00 of video film at position 0, got frame 01"),
        ("00", (6, 9), r"at the frame's size 6x9 \(height x width\), got 6x8"),
    ],
)
def test_frames_of_another_video(tmp_path, name, shape, message):
    with pytest.raises(InputError, match=message):
        record_references(make_record(tmp_path))(frame(name, shape))


def test_a_second_run_needs_references_of_its_own(tmp_path):
    record = make_record(tmp_path)
    references = record_references(record)
    for name in record["image_ids"]:
        references(frame(name))
    with pytest.raises(InputError, match="expected frame none"):
        references(frame("00"))
    assert record_references(record)(frame("00")) is not None


def test_references_as_a_policy(tmp_path):
    policy = as_policy(record_references(make_record(tmp_path)))
    update = policy.update(frame("00"), None)
    assert sorted(update.given.segments) == [3] and update.retired == frozenset()
    assert as_policy(policy) is policy
