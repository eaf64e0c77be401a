"""tools/convert_weights.py on files as the authors of AOT, AOST and PAOT release them."""

from __future__ import annotations

import hashlib

import pytest
import torch
from aot_fixture import official_weights

from vps.io.checkpoint import read_checkpoint
from vps.modeling.vos.network import VOSNetwork
from vps.modeling.vos.variants import network_settings


@pytest.fixture(scope="module")
def tool(load_script):
    return load_script("tools/convert_weights.py")


@pytest.fixture(scope="module")
def released(shared_dir):
    folder = shared_dir / "oracles" / "aot" / "keys"
    if not folder.is_dir():
        pytest.skip("needs oracles/aot/keys in the shared folder")
    return {name: official_weights(folder / f"{name}.json") for name in ("aott", "aost_d3")}


@pytest.mark.parametrize("nesting", ["state_dict", "model", ""])
def test_each_nesting(tool, released, tmp_path, capsys, nesting):
    """Read, renamed, written; both digests said; a network loads the result strictly."""
    weights = {f"module.{key}": value for key, value in released["aott"].items()}
    source, output = tmp_path / "theirs.pth", tmp_path / "ours.pth"
    torch.save({nesting: weights} if nesting else weights, source)
    assert tool.main([str(source), "-o", str(output), "--for", "AOT-T"]) == 0
    said = capsys.readouterr().out
    for path in (source, output):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in said
    assert "mask_token" in said
    tensors = read_checkpoint(output)["model"]
    network = VOSNetwork(network_settings("AOT-T"))
    network.load_state_dict({key.removeprefix("network."): v for key, v in tensors.items()})
    weight = released["aott"]["LSTT.layers.0.linear2.weight"]
    assert torch.equal(network.matching.blocks[0].feed_forward.reduce.weight, weight)


def test_a_shallower_aost(tool, released, tmp_path, capsys):
    source, output = tmp_path / "theirs.pth", tmp_path / "ours.pth"
    torch.save({"state_dict": released["aost_d3"]}, source)
    command = [str(source), "-o", str(output), "--for", "AOST", "--depth", "2"]
    assert tool.main(command) == 0
    assert 'MODEL.VOS.NETWORK.LAYERS "[2]"' in capsys.readouterr().out
    network = VOSNetwork(network_settings("AOST", {"layers": (2,)}))
    tensors = read_checkpoint(output)["model"]
    network.load_state_dict({key.removeprefix("network."): v for key, v in tensors.items()})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "need --for one of AOT-T"),
        (["--for", "R50-PAOT"], "another variant"),
        (["--for", "VPSNet", "--format", "detectron2"], "expected weights of a torchvision ResNet"),
    ],
)
def test_wrong_options(tool, released, tmp_path, capsys, options, message):
    source, output = tmp_path / "theirs.pth", tmp_path / "ours.pth"
    torch.save(released["aott"], source)
    assert tool.main([str(source), "-o", str(output), *options]) == 2
    assert message in capsys.readouterr().err
    assert not output.exists()
