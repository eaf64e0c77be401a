"""The official resolution rule and preprocessing."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from vps.modeling.vos.resolution import network_size, normalize, resize_image
from vps.structures import InputError


@pytest.fixture(scope="module")
def common(shared_dir):
    folder = shared_dir / "oracles" / "aot" / "common"
    if not folder.is_dir():
        pytest.skip("needs oracles/aot/common in the shared folder")
    return folder


def test_sizes(common):
    """All recorded picture sizes, both modes, single and several scales."""
    for row in json.loads((common / "size_rule.json").read_text()):
        for index, scale in enumerate(row["scales"]):
            arguments = {
                "align_corners": row["align"],
                "max_long": row["max_long"],
                "max_short": row["max_short"] or 0,
                "scale": scale,
            }
            size = tuple(row["input_hw"])
            if isinstance(row["network_hw"], str):  # recorded as an error: a side rounds to 0
                with pytest.raises(InputError, match="at least"):
                    network_size(size, **arguments)
            else:
                assert list(network_size(size, **arguments)) == row["network_hw"][index], row


@pytest.mark.parametrize("name", ["align_x1p3", "align_x0p7", "nonalign_x1p3"])
def test_preprocessing(common, name):
    """Bicubic, not clipped, no anti-aliasing; then normalised."""
    expected = np.load(common / "preprocess.npz")
    frame = np.load(common.parent / "aott" / "clip.npz")["frames"][0]
    resized = resize_image(frame, tuple(expected[f"{name}/size"].tolist()))
    corner = resized[0, :, 40:72, 40:72].permute(1, 2, 0)
    raw = torch.from_numpy(expected[f"{name}/raw_corner"])
    assert torch.allclose(corner, raw, atol=2e-2)
    normalized = normalize(resized)[0]
    wanted = torch.from_numpy(expected[f"{name}/normalised_corner"])
    assert torch.allclose(normalized[:, 40:72, 40:72], wanted, atol=5e-4)
    mean, std, least, most = expected[f"{name}/stats"]
    assert normalized.mean().item() == pytest.approx(mean, abs=1e-4)
    assert normalized.std().item() == pytest.approx(std, abs=1e-4)
    assert resized.min().item() == pytest.approx(least, abs=2e-2)
    assert resized.max().item() == pytest.approx(most, abs=2e-2)
