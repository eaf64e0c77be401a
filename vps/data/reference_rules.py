"""What a clip must show that trains the propagation of given masks (AOT, PAOT).

Frame 0 of such a clip is the *reference*: the objects that it shows are given, and the network has
to find them again in the later frames. So the reference must show something, an object that it does
not show must not be asked for later, and there are no more objects than a network has identities
for. A clip sampler proposes frames, these rules accept them or ask for another proposal, and what
still breaks them in the end is turned into 0.

All functions are pure and work on ids int32 [T, H, W], 0 = nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vps.data.clip_sampling import ClipSampler, labelled_frames
from vps.structures import InputError, LabelRuns, Segment

# AOT's numbers of tries for a reference with enough in it, and for frames without new objects.
_REFERENCE_TRIES = 20
_CLIP_TRIES = 5


@dataclass(frozen=True)
class ReferenceRules:
    """The rules, with AOT's numbers.

    Attributes:
        min_reference_area: a reference frame on disk shows more labelled pixels than this.
        min_object_area: an object that has no more pixels than this in the reference, as it is
            after the augmentation, is removed from all frames.
        max_objects: () for no limit; (N,) for at most N objects; (N, M) for at most N things and
            M stuff segments. Of more, a random choice stays.
    """

    min_reference_area: int = 200
    min_object_area: int = 100
    max_objects: tuple[int, ...] = (10,)

    def __post_init__(self) -> None:
        if len(self.max_objects) > 2 or any(limit < 1 for limit in self.max_objects):
            raise InputError(
                "expected INPUT.CLIP.MAX_OBJECTS as [], [objects] or [things, stuff], each 1 or "
                f"more, got {list(self.max_objects)}"
            )

    def choose_frames(
        self,
        clip_sampler: ClipSampler,
        labelled: Sequence[bool],
        target: int,
        rng: np.random.Generator,
        *,
        area_of: Callable[[int], int],
        objects_of: Callable[[int], Collection[int]],
    ) -> list[int]:
        """Frames from ``clip_sampler`` that keep the rules, or nearly so if that is hard to find.

        Args:
            area_of: the number of labelled pixels of frame t. Asked of references only.
            objects_of: the ids that frame t shows.
        """
        reference, best = target, -1
        candidates = labelled_frames(labelled)
        for attempt in range(_REFERENCE_TRIES):
            tried = target if attempt == 0 else candidates[rng.integers(len(candidates))]
            area = area_of(tried)
            if area > best:
                reference, best = tried, area
            if best > self.min_reference_area:
                break
        for _ in range(_CLIP_TRIES):
            frames = clip_sampler(labelled, reference, rng)
            given = set(objects_of(frames[0]))
            if all(given.issuperset(objects_of(t)) for t in set(frames[1:])):
                break
        return frames

    def find_given(self, ids: np.ndarray) -> list[int]:
        """The ids, ascending, that the reference, frame 0, shows well enough; all others have to
        be turned into 0 (``keep_ids``).
        """
        areas = count_areas(ids[0])
        return [key for key, area in areas.items() if area > self.min_object_area]

    def limit_objects(
        self, given: Sequence[int], segments: Mapping[int, Segment], rng: np.random.Generator
    ) -> list[int]:
        """Of the objects that are given at most ``max_objects``, a random choice; ascending."""
        if not self.max_objects:
            return list(given)
        if len(self.max_objects) == 1:
            kinds = [given]
        else:
            kinds = [
                [key for key in given if segments[key].isthing],
                [key for key in given if not segments[key].isthing],
            ]
        return sorted(
            int(key)
            for keys, limit in zip(kinds, self.max_objects)
            for key in (rng.choice(keys, limit, replace=False) if len(keys) > limit else keys)
        )


def count_areas(ids: np.ndarray) -> dict[int, int]:
    """{id: pixels} of the ids that occur in int32 [..., W], without 0, ascending."""
    keys, areas = LabelRuns.from_map(ids.reshape(-1, ids.shape[-1])).count_ids()
    return {key: area for key, area in zip(keys.tolist(), areas.tolist()) if key != 0}


def keep_ids(ids: np.ndarray, kept: Collection[int]) -> np.ndarray:
    """The array int32 [..., W] with all ids but ``kept`` turned into 0; itself if none is."""
    runs = LabelRuns.from_map(ids.reshape(-1, ids.shape[-1]))
    stays = np.isin(runs.ids, list(kept))
    if (stays | (runs.ids == 0)).all():
        return ids
    changed = LabelRuns(runs.shape, runs.starts, np.where(stays, runs.ids, 0).astype(np.int32))
    return changed.to_map().reshape(ids.shape)
