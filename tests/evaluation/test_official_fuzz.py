"""Random damage to tiny valid sets: each ends in the score that a plain reading of the files gives,
or in one sentence; never in a traceback or in another number.

VPS_FUZZ_CASES=10000 runs many more than the ordinary run does.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from naive_panoptic import NaiveFrame
from official_world import assert_equals_naive, exact, naive_read, write_set
from PIL import Image
from random_videos import random_video

from vps.evaluation.official import PANOPTIC_MODES, evaluate_panoptic
from vps.structures import InputError

CASES = int(os.environ.get("VPS_FUZZ_CASES", "300"))
BATCH = 50
WINDOWS = (1, 2, 3)
JUNK = (
    None, True, False, -1, 0, 1, 7, 70_000, 3.5, 2.0, 1e400, float("nan"), 10**30, 2**24, "", "x",
    "7", "../x", "a\0b", "\ud800", [], {}, [1], {"id": 1}, "00000000", "0000_0000_town", 11,
)  # fmt: skip


def damage_bytes(path: Path, dice: random.Random) -> None:
    """Cut, flip, drop, insert or double bytes."""
    data = bytearray(path.read_bytes())
    place = dice.randrange(len(data) + 1)
    kind = dice.randrange(6)
    if kind == 0:
        del data[place:]
    elif kind == 1:
        for _ in range(dice.randint(1, 3)):
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    elif kind == 2:
        del data[place : place + dice.randint(1, 9)]
    elif kind == 3:
        data[place:place] = dice.randbytes(dice.randint(1, 9))
    elif kind == 4:
        data = bytearray() if dice.random() < 0.5 else bytearray(dice.randbytes(50))
    else:
        data += data[place:]
    path.write_bytes(data)


def damage_picture(path: Path, others: list[Path], dice: random.Random) -> None:
    """A PNG that is a PNG, but another one, or elsewhere."""
    kind = dice.randrange(8)
    image = Image.open(path)
    image.load()
    if kind == 0:
        path.unlink()
    elif kind == 1:
        shutil.copy(dice.choice(others), path)
    elif kind == 2:
        image.resize((image.width + dice.choice([-1, 1]), image.height)).save(path)
    elif kind == 3:
        image.convert(dice.choice(["L", "P", "RGBA", "1"])).save(path)
    elif kind == 4:
        image.save(path, format="JPEG")
    elif kind == 5:
        shutil.copy(path, path.with_name(dice.choice(["extra.png", "00000099.png", "note.txt"])))
    else:  # some pixels of another colour, listed or not
        pixels = np.asarray(image).copy()
        flat = pixels.reshape(-1, 3)
        for _ in range(dice.randint(1, 4)):
            source = (
                flat[dice.randrange(len(flat))] if dice.random() < 0.6 else [dice.randrange(4)] * 3
            )
            flat[dice.randrange(len(flat))] = source
        Image.fromarray(pixels).save(path)


def places(node, path=()):
    """Every container of a JSON tree with each of its keys."""
    if isinstance(node, dict | list):
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            yield node, key, (*path, key)
            yield from places(node[key], (*path, key))


def damage_json(path: Path, dice: random.Random) -> None:
    """Change the tree: junk, missing keys, doubled, exchanged, missing entries, other numbers."""
    content = json.loads(path.read_text())
    for _ in range(dice.choice([1, 1, 1, 2])):
        found = list(places(content))
        if not found:
            break
        deep = [place for place in found if len(place[2]) > 3] or found
        node, key, _ = dice.choice(deep if dice.random() < 0.7 else found)
        kind = dice.randrange(7)
        if kind <= 1:
            node[key] = dice.choice(JUNK)
        elif kind == 2:
            del node[key]
        elif kind == 3 and isinstance(node, list):
            node.insert(dice.randrange(len(node) + 1), node[key])
        elif kind == 4 and isinstance(node, list):
            other = dice.randrange(len(node))
            node[key], node[other] = node[other], node[key]
        elif kind == 5 and isinstance(node[key], int):
            node[key] = node[key] + dice.choice([-1, 1, 256])
        elif isinstance(node, dict):
            node[dice.choice(["annotations", "videos", "images", "extra", "id"])] = dice.choice(
                JUNK
            )
    if dice.random() < 0.03:
        content = dice.choice([[content], 5, "text", None, [], {}])
    path.write_text(json.dumps(content))


def small_videos(seed: int) -> list[list[NaiveFrame]]:
    rng = np.random.default_rng(seed)
    videos = [exact(random_video(rng))[:4] for _ in range(rng.integers(1, 4))]
    return [video for video in videos if video] or [exact(long_video(rng))]


def long_video(rng: np.random.Generator) -> list[NaiveFrame]:
    while not (video := random_video(rng)):
        pass
    return video[:3]


def run_case(seed: int, root: Path) -> str:
    """One case. Returns "score" or "sentence"."""
    dice = random.Random(seed)
    named = dice.random() < 0.7
    pair = "id" if named and dice.random() < 0.3 else "position"
    files = write_set(root, small_videos(seed), nested=dice.random() < 0.6, named=named)
    lenient = dice.random() < 0.2
    pictures = sorted(root.rglob("*.png"))
    for _ in range(dice.choice([0, 1, 1, 1, 2])):
        side = dice.choice([files.gt_json, files.pred_json])
        picture = dice.choice(pictures)
        kind = dice.random()
        with contextlib.suppress(OSError, ValueError):  # a second blow to the same file
            if kind < 0.15:
                damage_bytes(side, dice)
            elif kind < 0.35:
                damage_bytes(picture, dice)
            elif kind < 0.6:
                damage_picture(picture, pictures, dice)
            else:
                damage_json(side, dice)
    try:
        evaluation = evaluate_panoptic(
            "vipseg",
            **files.arguments(),
            windows=WINDOWS,
            metrics=("vpq", "stq", "pq", "miou"),
            pair=pair,
            lenient=lenient,
        )
    except InputError as error:
        sentence = str(error)
        assert sentence and "\n" not in sentence and len(sentence) < 1000, sentence
        assert str(root) in sentence or "video" in sentence, sentence
        return "sentence"
    videos, categories = naive_read(files, pair=pair)
    if lenient and repeats_an_id(files):
        return "score"  # the naive reference knows no repeated ids
    assert_equals_naive(evaluation, videos, categories, WINDOWS, PANOPTIC_MODES["vipseg"].rules)
    return "score"


def repeats_an_id(files) -> bool:
    content = json.loads(files.gt_json.read_text())
    frames = content["annotations"]
    if files.nested:
        frames = [frame for video in frames for frame in video["annotations"]]
    return any(
        len({info["id"] for info in frame["segments_info"]}) < len(frame["segments_info"])
        for frame in frames
    )


@pytest.mark.parametrize("first", range(0, CASES, BATCH))
def test_damaged_files(first, tmp_path):
    seen = {"score": 0, "sentence": 0}
    for seed in range(first, min(first + BATCH, CASES)):
        root = tmp_path / str(seed)
        try:
            seen[run_case(seed, root)] += 1
        except BaseException as error:
            raise AssertionError(f"case {seed}: {type(error).__name__}: {error}") from error
        shutil.rmtree(root)
    assert min(seen.values()) > 0 or sum(seen.values()) < 10, seen  # both ends occur


def test_the_files_of_the_world_are_valid(tmp_path):
    """Without damage every set has a score."""
    for seed in range(10):
        files = write_set(tmp_path / str(seed), small_videos(seed), nested=seed % 2 == 0)
        evaluation = evaluate_panoptic("vipseg", **files.arguments(), windows=WINDOWS)
        assert_equals_naive(evaluation, *naive_read(files), WINDOWS, PANOPTIC_MODES["vipseg"].rules)
