"""Which frames of a video form a training clip.

A clip sampler is a function ``(labelled, target, rng) -> frame indices``: ``labelled`` says for
every frame of the video whether it carries ground truth, ``target`` is the frame the clip is for.
A sampler knows nothing of the labels themselves; what they must show is asked afterwards
(``vps.data.reference_rules``), and another clip is drawn if they do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from vps.structures import InputError, VideoRecord

ClipSampler = Callable[[Sequence[bool], int, np.random.Generator], list[int]]

# Samplers whose frame 0 is a reference: its objects are given, the other frames are predicted.
REFERENCE_SAMPLERS = ("sequence", "static")


def make_clip_sampler(name: str, *, length: int, max_gap: int, reverse: bool) -> ClipSampler:
    """The sampler that INPUT.CLIP asks for: "pair", "consecutive", "sequence" or "static"."""
    if name == "pair":
        if length != 2 or max_gap < 1:
            raise InputError(
                "expected INPUT.CLIP.LENGTH 2 and INPUT.CLIP.MAX_GAP >= 1 for SAMPLER pair, got "
                f"{length} and {max_gap}"
            )
        return partial(sample_pair, max_gap=max_gap)
    if length < 1:
        raise InputError(f"expected INPUT.CLIP.LENGTH >= 1, got {length}")
    if name == "consecutive":
        return partial(sample_consecutive, length=length, reverse=reverse)
    if name == "sequence":
        if max_gap < 1:
            raise InputError(
                f"expected INPUT.CLIP.MAX_GAP >= 1 for SAMPLER sequence, got {max_gap}"
            )
        return partial(sample_sequence, length=length, max_gap=max_gap, reverse=reverse)
    if name == "static":
        return partial(sample_static, length=length)
    raise InputError(
        f"expected INPUT.CLIP.SAMPLER 'pair', 'consecutive', 'sequence' or 'static', got {name!r}"
    )


def sample_clip(
    sampler: ClipSampler, record: VideoRecord, target: int, rng: np.random.Generator
) -> list[int]:
    """Draw a clip of a record with any sampler, in the time of the film.

    Where the data set left out frames (``frame_numbers``, as in the training split of
    Cityscapes-VPS, which has every fifth), these count as unlabelled ones for the sampler.
    """
    labelled, numbers = record["labelled"], record.get("frame_numbers")
    if numbers is None:
        return sampler(labelled, target, rng)
    index_of = {number - numbers[0]: t for t, number in enumerate(numbers)}
    film = [labelled[index_of[n]] if n in index_of else False for n in range(max(index_of) + 1)]
    return [index_of[n] for n in sampler(film, numbers[target] - numbers[0], rng)]


def sample_pair(
    labelled: Sequence[bool], target: int, rng: np.random.Generator, *, max_gap: int
) -> list[int]:
    """[target, reference]: VPSNet's pair (paper 4.1, tau in {-5..5}).

    The reference is any labelled frame within ``max_gap`` real frames, not of labelled ones: motion
    is a matter of time. It is never the target itself, which teaches no motion, unless there is no
    other.
    """
    first, last = max(target - max_gap, 0), min(target + max_gap, len(labelled) - 1)
    candidates = [t for t in range(first, last + 1) if labelled[t] and t != target]
    reference = candidates[rng.integers(len(candidates))] if candidates else target
    return [target, reference]


def sample_consecutive(
    labelled: Sequence[bool],
    target: int,
    rng: np.random.Generator,
    *,
    length: int,
    reverse: bool = False,
) -> list[int]:
    """``length`` labelled frames in a row, the target among them; its place in the row is random.

    A video with fewer labelled frames gives all of them and repeats the last. With ``reverse`` half
    of the clips are played backwards.
    """
    frames = labelled_frames(labelled)
    place = frames.index(target)
    first = rng.integers(max(place - length + 1, 0), max(min(place, len(frames) - length), 0) + 1)
    clip = frames[first : first + length]
    clip += clip[-1:] * (length - len(clip))
    return clip[::-1] if reverse and rng.random() < 0.5 else clip


def sample_sequence(
    labelled: Sequence[bool],
    target: int,
    rng: np.random.Generator,
    *,
    length: int,
    max_gap: int,
    reverse: bool = False,
) -> list[int]:
    """``length`` labelled frames from the target on, at random gaps: AOT's clip (paper 5.1).

    Each frame lies 1..``max_gap`` labelled frames behind the one before; gaps are counted in
    labelled frames, as in YouTube-VOS, where every fifth frame is. A clip that reaches an end of
    the video turns round there. With ``reverse`` half of the clips run towards the start; the
    target stays the first frame, for it is the reference whose objects are given.
    """
    frames = labelled_frames(labelled)
    direction = -1 if reverse and rng.random() < 0.5 else 1
    way = np.cumsum([0, *rng.integers(1, max_gap + 1, length - 1)])
    places = reflect(frames.index(target) + direction * way, len(frames))
    return [frames[place] for place in places]


def sample_static(
    labelled: Sequence[bool], target: int, rng: np.random.Generator, *, length: int
) -> list[int]:
    """The target ``length`` times: one picture that ``vps.data.synthetic_motion`` sets in motion.

    ``labelled`` and ``rng`` are not used; a clip sampler takes them.
    """
    return [target] * length


def labelled_frames(labelled: Sequence[bool]) -> list[int]:
    """Indices of the frames that carry ground truth."""
    return [t for t, has_labels in enumerate(labelled) if has_labels]


def reflect(places: np.ndarray, length: int) -> list[int]:
    """Fold integers [N] into 0..length-1, turning round at both ends: 3 of 3 is 1, -1 is 1."""
    period = max(2 * (length - 1), 1)
    folded = places % period
    return np.minimum(folded, period - folded).tolist() if length > 1 else [0] * len(places)
