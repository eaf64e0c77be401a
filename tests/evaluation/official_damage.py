"""Damage to the second frame of a small set: each helper gives a function that does it to files."""

from __future__ import annotations

import json

from official_world import Files, change, frames_of

# Video 0_street has the frames 00000000, 00000005 and 00000010 with the segments 7, 300 and 70000;
# the second is the one that is damaged.
PRED, TRUTH = "pred", "gt"


def json_of(files: Files, side: str):
    return files.pred_json if side == PRED else files.gt_json


def edit(side, work):
    """Damage: edit the JSON of a side."""
    return lambda files: change(json_of(files, side), work)


def segment(side, index=0, **changes):
    """Damage: change a segment of the second frame; None takes the field away."""

    def work(content):
        about = frames_of(content)[1]["segments_info"][index]
        about |= changes
        for key in [key for key, value in changes.items() if value is None]:
            del about[key]

    return edit(side, work)


def entry(side, index=1, **changes):
    """Damage: change a frame's entry; None takes the field away."""

    def work(content):
        about = frames_of(content)[index]
        about |= changes
        for key in [key for key, value in changes.items() if value is None]:
            del about[key]

    return edit(side, work)


def text(side, content):
    """Damage: another file altogether."""
    data = content if isinstance(content, bytes) else content.encode()
    return lambda files: json_of(files, side).write_bytes(data)


def repeat_segment(content):
    infos = frames_of(content)[1]["segments_info"]
    infos.append(dict(infos[0]))


def take_list(files):
    content = json.loads(files.pred_json.read_text())
    files.pred_json.write_text(json.dumps(content["annotations"]))
