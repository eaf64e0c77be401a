"""The local surrogate of the YouTube-VOS measure."""

from __future__ import annotations

import json
import math
import pickle

import numpy as np
import pytest
from naive_objects import naive_f, naive_iou
from random_objects import random_video

from vps.metrics import YouTubeVOSQuality
from vps.structures import InputError

IDS = (1, 2, 3, 300)
CLASSES = {1: "person", 2: "lynx", 300: "dog"}  # 3 has none
SEEN = {"person", "dog"}


def random_set(seed):
    rng = np.random.default_rng(seed)
    return {f"{index:03d}": random_video(rng, IDS) for index in range(20)}


def evaluate(videos, *, seen_classes=SEEN, references=None, classes=CLASSES):
    metric = YouTubeVOSQuality(seen_classes=seen_classes)
    for name, frames in videos.items():
        metric.update(name, iter(frames), references=references, object_classes=classes)
    return metric


def naive_objects(videos):
    """(class or None, mean J, mean F) of every object with a frame after its first."""
    for frames in videos.values():
        for object_id in IDS:
            shown = [index for index, (_, gt, _) in enumerate(frames) if (gt == object_id).any()]
            rows = []
            for _, gt, pred in frames[shown[0] + 1 :] if shown else ():
                masks = gt == object_id, pred == object_id
                radius = math.ceil(0.008 * math.hypot(*gt.shape))
                rows.append((naive_iou(*masks), naive_f(*masks, radius)))
            if rows:
                yield CLASSES.get(object_id), *np.mean(rows, axis=0)


def test_against_naive():
    videos = random_set(0)
    result = evaluate(videos).compute()
    rows = list(naive_objects(videos))
    want = {}
    for group, members in (("seen", SEEN), ("unseen", {"lynx"})):
        chosen = [row[1:] for row in rows if row[0] in members]
        want[f"j_{group}"], want[f"f_{group}"] = np.mean(chosen, axis=0)
        assert result.num_objects[group] == len(chosen)
    assert result.parts == pytest.approx(want, abs=1e-12)
    assert result.overall == pytest.approx(np.mean(list(want.values())), abs=1e-12)
    assert (result.j, result.f) == pytest.approx(np.mean([r[1:] for r in rows], axis=0), abs=1e-12)
    assert result.num_objects["unknown"] > 0 and not result.reasons


def test_given_references_say_when_an_object_begins():
    frames = next(frames for frames in random_set(1).values() if len(frames) > 5)
    result = evaluate({"v": frames}, references={1: 2, 2: [1]}).compute()
    assert {i: one.frames for i, one in result.per_object["v"].items()} == {
        1: len(frames) - 3,
        2: len(frames) - 2,
    }


def test_undefined_parts_have_reasons():
    videos = random_set(0)
    for result in (
        YouTubeVOSQuality().compute(),
        evaluate(videos, seen_classes=None).compute(),
        evaluate(videos, classes=None).compute(),
        evaluate(videos, classes={1: "person"}).compute(),
    ):
        assert result.overall is None and "undefined parts" in result.reasons["overall"]
        assert set(result.reasons) >= {n for n, value in result.parts.items() if value is None}
        assert (result.j is None) == ("j" in result.reasons)
        json.dumps(result.as_dict(), allow_nan=False)


def test_partitions_give_the_same_bits():
    videos = random_set(2)
    whole = json.dumps(evaluate(videos).compute().as_dict())
    names = list(videos)
    parts = [evaluate({name: videos[name] for name in names[rank::3]}) for rank in (2, 0, 1)]
    merged = pickle.loads(pickle.dumps(parts[0]))
    for part in parts[1:]:
        merged.merge(part)
    assert json.dumps(merged.compute().as_dict()) == whole
    with pytest.raises(InputError, match="was already scored"):
        merged.merge(parts[1])
    with pytest.raises(InputError, match="different seen classes"):
        merged.merge(YouTubeVOSQuality())
    with pytest.raises(InputError, match="object 1 is frame 9"):
        YouTubeVOSQuality().update("v", [], references={1: 9})
