"""Which prediction belongs to which frame of the ground truth.

The official VIPSeg and Cityscapes-VPS programs pair the entries of the two JSONs by their place and
look at no name. So do we for their files, but whatever names a prediction does state are compared,
because a list that is shifted by one frame gives a score like any other. COCO's program pairs by
image id, and so do we for its files and for those of our own writer.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from vps.evaluation.official.layouts import PngFolder
from vps.evaluation.official.panoptic_json import FrameListing, PanopticListing, VideoListing
from vps.evaluation.official.pictures import PairedFrame, TaskBuilder, stem
from vps.evaluation.official.tasks import PanopticTask
from vps.structures import InputError


@dataclass(frozen=True)
class PairingOptions:
    """How predictions find their frames.

    Attributes:
        pair: "position": n-th entry to n-th entry, as the official VPS programs; "id": by video and
            image id.
        video_of: the video of an image id, for a flat ground truth.
        ordered: refuse a flat ground truth whose image ids are not ascending within a video.
        allow_extra: ignore predictions of videos and frames that the ground truth does not know.
        strict: refuse a ground truth whose JSON and PNG disagree.
    """

    pair: Literal["position", "id"] = "position"
    video_of: Callable[[str], str] = lambda image_id: image_id
    ordered: bool = True
    allow_extra: bool = False
    strict: bool = True


def pair_predictions(
    truth: PanopticListing,
    predictions: PanopticListing,
    truth_pngs: PngFolder,
    prediction_pngs: PngFolder,
    options: PairingOptions,
) -> list[PanopticTask]:
    """Make the tasks of an evaluation, one per video that has labelled frames.

    What is wrong with one video stands in its ``problem``. The listings are taken apart.

    Raises:
        InputError: the files as a whole do not fit together; names file and id.
    """
    if not truth.categories:
        raise InputError(f"expected categories in the ground truth {truth.path}, got none")
    frames = list(_labelled_frames(truth, options))
    if not frames:
        raise InputError(f"expected annotated frames in the ground truth {truth.path}, got none")
    if options.pair == "position":
        _pair_by_position(frames, truth, predictions)
    else:
        _pair_by_id(frames, truth, predictions, options)
    truth.videos.clear()  # the frames hold what is needed of them
    predictions.videos.clear()
    videos: dict[str, list[PairedFrame]] = {}
    for frame in frames:
        videos.setdefault(frame.video_id, []).append(frame)
    del frames
    builder = TaskBuilder(
        truth,
        predictions,
        truth_pngs,
        prediction_pngs,
        strict=options.strict,
        allow_extra=options.allow_extra,
    )
    tasks = [builder.task(video_id, videos.pop(video_id)) for video_id in list(videos)]
    builder.check_other_pictures()
    return tasks


def _labelled_frames(truth: PanopticListing, options: PairingOptions) -> Iterator[PairedFrame]:
    """The frames of the ground truth in the order of its JSON, each with its video."""
    seen: dict[str, set[str]] = {}
    last: dict[str, str] = {}
    for video in truth.videos:
        if truth.nested and video.video_id is None:
            raise InputError(f"expected a video_id for every video in {truth.path}, got none")
        if truth.nested and video.video_id in seen:
            raise InputError(f"video {video.video_id} stands twice in {truth.path}")
        seen.setdefault(video.video_id or "", set())
        images = truth.images.get(video.video_id or "", {})
        for frame in video.frames:
            frame_id = frame.image_id or (frame.file_name and stem(frame.file_name))
            if frame_id is None:
                raise InputError(f"expected an image_id for every frame in {truth.path}, got none")
            if frame_id in seen[video.video_id or ""]:
                raise InputError(f"image {frame_id} is annotated twice in {truth.path}")
            seen[video.video_id or ""].add(frame_id)
            if images and frame_id not in images:
                raise InputError(
                    f"image {frame_id} is annotated in {truth.path}, but its list of images lacks "
                    "it"
                )
            video_id = video.video_id if truth.nested else options.video_of(frame_id)
            if not truth.nested and options.ordered and last.get(video_id, "") > frame_id:
                raise InputError(
                    f"expected the images of video {video_id} in the order of their ids in "
                    f"{truth.path}, got {frame_id} after {last[video_id]}"
                )
            last[video_id] = frame_id
            yield PairedFrame(video_id, frame_id, frame, images.get(frame_id))


def _pair_by_position(
    frames: list[PairedFrame], truth: PanopticListing, predictions: PanopticListing
) -> None:
    where = f"in {predictions.path}; predictions are paired by position, or by id with --pair id"
    if not (truth.nested and predictions.nested):
        given = list(predictions.frames)
        if len(given) != len(frames):
            raise InputError(
                f"expected predictions of {len(frames)} frames, as in {truth.path}, got "
                f"{len(given)} {where}"
            )
        _give(frames, given, where)
        return
    _compare_videos(truth.videos, predictions.videos, where)
    first = 0
    for video, prediction in zip(truth.videos, predictions.videos):
        members = frames[first : first + len(video.frames)]
        first += len(video.frames)
        if len(prediction.frames) == len(members):
            _give(members, prediction.frames, where)
        else:
            for frame in members:
                frame.problem = (
                    f"expected predictions of {len(members)} frames for video {video.video_id}, "
                    f"got {len(prediction.frames)} {where}"
                )


def _give(frames: list[PairedFrame], given: list[FrameListing], where: str) -> None:
    """Pair equally many frames and predictions; names that contradict are a problem."""
    for position, (frame, prediction) in enumerate(zip(frames, given)):
        names = {posixpath.basename(name) for name in frame.stems}
        given_names = (prediction.image_id, prediction.file_name)
        other = [n for n in given_names if n and posixpath.basename(stem(n)) not in names]
        if other:
            frame.problem = (
                f"expected frame {frame.frame_id} of video {frame.video_id} at position "
                f"{position}, got {other[0]} {where}"
            )
        frame.prediction = prediction


def _compare_videos(truth: list[VideoListing], given: list[VideoListing], where: str) -> None:
    for position, (video, prediction) in enumerate(zip(truth, given)):
        if prediction.video_id not in (None, video.video_id):
            raise InputError(
                f"expected video {video.video_id} at position {position}, got "
                f"{prediction.video_id} {where}"
            )
    if len(truth) != len(given):
        missing = [video.video_id for video in truth[len(given) :]]
        first = f" (video {missing[0]} is the first that lacks)" if missing else ""
        raise InputError(f"expected {len(truth)} videos, got {len(given)}{first} {where}")


def _pair_by_id(
    frames: list[PairedFrame],
    truth: PanopticListing,
    predictions: PanopticListing,
    options: PairingOptions,
) -> None:
    given: dict[tuple[str, str], FrameListing] = {}
    for video in predictions.videos:
        for frame in video.frames:
            name = frame.image_id or (frame.file_name and stem(frame.file_name))
            if name is None or (predictions.nested and video.video_id is None):
                raise InputError(
                    f"expected a video_id and an image_id for every frame in {predictions.path}, "
                    "got none; --pair position pairs by the order of the files"
                )
            key = (video.video_id or "", name)
            if key in given:
                raise InputError(
                    f"image {name}{_of_video(video)} stands twice in {predictions.path}"
                )
            given[key] = frame
    known = {
        (video_id, name)
        for video_id, images in truth.images.items()
        for image_id, info in images.items()
        for name in (image_id, stem(info.file_name or image_id))
    }
    missing_videos = {frame.video_id for frame in frames} - {key[0] for key in given}
    for frame in frames:
        video_id = frame.video_id if predictions.nested else ""
        names = [frame.frame_id, *sorted(frame.stems - {frame.frame_id})]
        keys = [(video_id, name) for name in names]
        frame.prediction = next((given[key] for key in keys if key in given), None)
        for key in keys:
            known |= {key, (frame.video_id, key[1])}
        if frame.prediction is None:
            what = f"frame {frame.frame_id} of video {frame.video_id}"
            if predictions.nested and frame.video_id in missing_videos:
                what = f"video {frame.video_id}"
            frame.problem = f"expected a prediction of {what} in {predictions.path}, got none"
    if not predictions.nested:
        known = {("", name) for _, name in known}
    extra = sorted(given.keys() - known)
    if extra and not options.allow_extra:
        video_id, name = extra[0]
        raise InputError(
            f"image {name}{' of video ' * bool(video_id)}{video_id} is predicted in "
            f"{predictions.path}, but not known to {truth.path} ({len(extra)} such in all); ignore "
            "them with --allow-extra"
        )


def _of_video(video: VideoListing) -> str:
    return f" of video {video.video_id}" if video.video_id else ""
