"""A whole video, frame by frame: propagators, references, and what comes out.

Test-time augmentation (AOST, section 5.1) looks at the video in several views, scaled or mirrored.
Each view is propagated on its own, with a memory of its own, fed with its own labels; only the
result is taken from the mean of their probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from vps.modeling.vos.propagator import Prediction, Propagator, apply_update
from vps.modeling.vos.video_state import VideoState
from vps.structures import (
    Frame,
    InputError,
    PanopticFrame,
    ReferencePolicy,
    References,
    as_policy,
)

Depth = int | Callable[[Frame], int] | None


def segment_frames(
    views: Sequence[Propagator],
    frames: Iterable[Frame],
    references: References | ReferencePolicy,
    *,
    depth: Depth = None,
) -> Iterator[PanopticFrame]:
    """Follow the objects whose masks ``references`` gives through a video.

    Args:
        views: one propagator per view of the video; usually one.
        frames: in the order of time, all of one size.
        references: asked once per frame, in order.
        depth: layers to pass, per frame if a function; None = all. Frames whose masks are given
            always pass all.

    Yields:
        One PanopticFrame per frame: what is predicted, with given masks on top. Frames before the
        first mask are empty.

    Raises:
        InputError: a frame or a mask has another size, or a mask no segment.
    """
    policy = as_policy(references)
    states = [view.begin() for view in views]
    for frame in frames:
        layers = depth(frame) if callable(depth) else depth
        predictions = [
            view.predict(state, frame.image, layers)
            for view, state in zip(views, states, strict=True)
        ]
        own = [
            view.ids(state, prediction)
            for view, state, prediction in zip(views, states, predictions, strict=True)
        ]
        ids = own[0] if len(views) == 1 else _vote(views, states, predictions)
        known = bool(states[0].bundles)
        predicted = _panoptic_frame(frame, ids, states[0]) if known else None
        given, retired = policy.update(frame, predicted)
        if given is not None:
            _check(frame, given)
        retired = [object_id for object_id in retired if object_id in states[0].segments]
        for view, state, prediction, mine in zip(views, states, predictions, own, strict=True):
            kept = apply_update(mine, given, retired)
            view.commit(state, prediction, kept, given=given, retired=retired)
        yield _panoptic_frame(frame, apply_update(ids, given, retired), states[0])


def _vote(
    views: Sequence[Propagator], states: Sequence[VideoState], predictions: Sequence[Prediction]
) -> Tensor:
    """The ids with the highest mean probability."""
    if predictions[0].propagated is None:
        return views[0].ids(states[0], predictions[0])
    total = None
    for view, state, prediction in zip(views, states, predictions, strict=True):
        probabilities = view.probabilities(state, prediction)
        total = probabilities if total is None else total.add_(probabilities)
    ids = torch.tensor(predictions[0].layout.ids, dtype=torch.int32, device=total.device)
    return ids[total.argmax(0)]


def _panoptic_frame(frame: Frame, ids: Tensor, state: VideoState) -> PanopticFrame:
    present = [i for i in torch.unique(ids).tolist() if i]
    array = ids.cpu().numpy()
    return PanopticFrame(frame.frame_id, array, {i: state.segments[i] for i in present})


def _check(frame: Frame, given: PanopticFrame) -> None:
    if given.ids.shape != frame.image.shape[:2]:
        raise InputError(
            f"expected the masks given at frame {frame.frame_id} at the frame's size "
            f"{frame.image.shape[0]}x{frame.image.shape[1]} (height x width), got "
            f"{given.ids.shape[0]}x{given.ids.shape[1]}"
        )
    ids = torch.unique(torch.as_tensor(given.ids)).tolist()
    unknown = [i for i in ids if i and i not in given.segments]
    if unknown or min(ids) < 0:
        raise InputError(
            f"expected a segment for every id of the masks given at frame {frame.frame_id}, got "
            f"ids {(unknown or ids)[:5]} without one; ids are positive"
        )
