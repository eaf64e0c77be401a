"""The default config, held to a record of real Detectron2's (commit 02b5c4e2 of 2026-06-06).

A tuple stands in the record as ``{"tuple": [...]}``, since JSON has none.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vps.d2.config import get_cfg

RECORD = json.loads(Path(__file__).with_name("detectron2_defaults.json").read_text())

# Sections of models that nothing here builds; the lean host leaves them out, so that they raise.
NOT_LEAN = ("MODEL.RETINANET.", "MODEL.ROI_KEYPOINT_HEAD.", "MODEL.ROI_BOX_CASCADE_HEAD.")


def flatten(node: dict, prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in node.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def encode(value: Any) -> Any:
    if isinstance(value, tuple):
        return {"tuple": [encode(item) for item in value]}
    return [encode(item) for item in value] if isinstance(value, list) else value


def test_defaults(host):
    expected = RECORD
    if host == "lean":
        expected = {key: value for key, value in RECORD.items() if not key.startswith(NOT_LEAN)}
    got = {key: encode(value) for key, value in flatten(get_cfg()).items()}
    assert got.keys() == expected.keys()
    differing = {key: (got[key], expected[key]) for key in got if got[key] != expected[key]}
    assert not differing
    types = {key: type(value) for key, value in got.items()}
    assert types == {key: type(value) for key, value in expected.items()}  # 1 == 1.0 == True
