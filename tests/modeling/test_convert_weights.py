"""tools/convert_weights.py: every kind of input, and every way in which it must refuse."""

from __future__ import annotations

import hashlib
import os
import pickle

import numpy as np
import pytest
import torch
import torchvision

from vps.d2.checkpoint import DetectionCheckpointer
from vps.io.checkpoint import read_checkpoint
from vps.io.zoo_pickle import read_zoo_pickle
from vps.modeling.backbone import FPN, LastLevelMaxPool, ResNet
from vps.modeling.weights import convert_weights, from_torchvision
from vps.structures import InputError


@pytest.fixture(scope="module")
def tool(load_script):
    return load_script("tools/convert_weights.py")


@pytest.fixture(scope="module")
def resnet18():
    """torchvision's ResNet-18 with statistics that are not the identity."""
    torch.manual_seed(0)
    network = torchvision.models.resnet18()
    for key, tensor in network.state_dict().items():
        if key.endswith(("running_mean", "running_var")):
            tensor.uniform_(0.5, 1.5)
    return network.eval()


def zoo_model(resnet18) -> dict[str, np.ndarray]:
    """What a panoptic FPN of the zoo holds, with small heads."""
    backbone = ResNet(18, norm="FrozenBN")
    pyramid = FPN(backbone, ["res2", "res3", "res4", "res5"], 8, top_block=LastLevelMaxPool())
    state = {f"backbone.{key}": value.numpy() for key, value in pyramid.state_dict().items()}
    state["proposal_generator.rpn_head.conv.weight"] = np.ones((8, 8, 3, 3), np.float32)
    state["proposal_generator.anchor_generator.cell_anchors.0"] = np.ones((3, 4), np.float32)
    state["roi_heads.box_head.fc1.weight"] = np.ones((4, 392), np.float32)
    state["sem_seg_head.predictor.weight"] = np.ones((3, 8, 1, 1), np.float32)
    state["pixel_mean"] = np.zeros((3, 1, 1), np.float32)
    return state


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("conv1.weight", "stem.conv1.weight"),
        ("bn1.running_var", "stem.conv1.norm.running_var"),
        ("layer1.0.bn2.bias", "res2.0.conv2.norm.bias"),
        ("layer4.2.conv3.weight", "res5.2.conv3.weight"),
        ("layer2.0.downsample.0.weight", "res3.0.shortcut.weight"),
        ("layer2.0.downsample.1.running_mean", "res3.0.shortcut.norm.running_mean"),
    ],
)
def test_torchvision_names(theirs, ours):
    assert from_torchvision(theirs) == "backbone.bottom_up." + ours


@pytest.mark.parametrize("name", ["fc.weight", "layer5.0.conv1.weight", "layer1.0.se.weight"])
def test_names_that_are_not_torchvisions(name):
    assert from_torchvision(name) is None


@pytest.mark.parametrize("depth", [18, 50])
def test_torchvision_resnets_give_the_same_features(depth):
    """Strict load, and the maps are equal bit for bit."""
    torch.manual_seed(0)
    theirs = getattr(torchvision.models, f"resnet{depth}")().eval()
    converted = convert_weights(theirs.state_dict(), target="backbone")
    assert converted.source == f"torchvision ResNet, depth {depth}"
    assert converted.settings["MODEL.RESNETS.STRIDE_IN_1X1"] is False
    assert set(converted.left_out.values()) == {"step counter", "ImageNet classifier"}
    ours = ResNet(depth, norm="FrozenBN")
    prefix = len("backbone.bottom_up.")
    ours.load_state_dict({k[prefix:]: v for k, v in converted.tensors.items()}, strict=True)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        y = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(x))))
        for layer, got in zip(range(1, 5), ours.eval()(x).values()):
            y = getattr(theirs, f"layer{layer}")(y)
            assert torch.equal(got, y)


def test_the_tool_writes_a_checkpoint_that_says_where_it_is_from(tool, resnet18, tmp_path, capsys):
    source, output = tmp_path / "resnet18.pth", tmp_path / "new" / "out.pth"
    torch.save(resnet18.state_dict(), source)
    assert tool.main([str(source), "-o", str(output)]) == 0
    printed = capsys.readouterr().out
    for path in (source, output):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in printed
    assert "left out 2 (ImageNet classifier): fc.weight, fc.bias" in printed
    content = read_checkpoint(output)
    assert len(content["model"]) == 100
    assert content["metadata"]["source"] == "resnet18.pth"
    first = output.read_bytes()
    assert tool.main([str(source), "-o", str(output)]) == 0
    assert output.read_bytes() == first, "the same input gives the same file"


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_zoo_pickles(tool, resnet18, tmp_path, protocol):
    state = zoo_model(resnet18)
    source, output = tmp_path / "model_final.pkl", tmp_path / "out.pth"
    source.write_bytes(pickle.dumps({"model": state, "__author__": "Detectron2"}, protocol))
    assert tool.main([str(source), "-o", str(output)]) == 0
    got = read_checkpoint(output)["model"]
    assert set(state) - set(got) == {
        "pixel_mean",
        "proposal_generator.anchor_generator.cell_anchors.0",
    }
    for key, tensor in got.items():
        assert np.array_equal(tensor.numpy(), state[key]), key


def test_the_model_chooses_the_parts(resnet18):
    state = {key: torch.from_numpy(value) for key, value in zoo_model(resnet18).items()}
    converted = convert_weights(state, target="VPSNet")
    assert converted.left_out["sem_seg_head.predictor.weight"] == "no part of VPSNet"
    assert "roi_heads.box_head.fc1.weight" in converted.tensors
    converted = convert_weights(state, target="backbone")
    assert all(key.startswith("backbone.bottom_up.") for key in converted.tensors)


def test_backbones_of_the_zoo_get_the_prefix_and_missing_statistics(resnet18):
    state = ResNet(18, norm="FrozenBN").state_dict()
    folded = {key: value for key, value in state.items() if "running" not in key}
    converted = convert_weights({**folded, "stem.fc.weight": torch.ones(2, 2)}, target="backbone")
    ours = ResNet(18, norm="FrozenBN")
    prefix = len("backbone.bottom_up.")
    ours.load_state_dict({k[prefix:]: v for k, v in converted.tensors.items()}, strict=True)
    norm = ours.stem.conv1.norm
    assert torch.equal(norm.running_var + norm.eps, torch.ones(64))
    assert converted.settings["INPUT.FORMAT"] == "BGR"
    assert convert_weights(folded, author="torchvision").settings["INPUT.FORMAT"] == "RGB"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("layer3.1.bn1.weight"), r"lacks: res4.1.conv1.norm.weight"),
        (lambda s: s.update({"layer1.0.se.weight": s["fc.bias"]}), r"1 others: layer1.0.se.weight"),
        (lambda s: [s.pop(k) for k in list(s) if k.startswith("layer3.1")], r"1 blocks in res4"),
        (lambda s: s.clear(), r"keys such as \(none\)"),
        (lambda s: [s.pop(k) for k in list(s) if "layer" in k], r"keys such as conv1.weight, bn1"),
    ],
)
def test_weights_that_are_not_whole(tool, resnet18, tmp_path, capsys, change, message):
    state = dict(resnet18.state_dict())
    change(state)
    with pytest.raises(InputError, match=message):
        convert_weights(state)
    source, output = tmp_path / "in.pth", tmp_path / "out.pth"
    torch.save(state, source)
    assert tool.main([str(source), "-o", str(output)]) == 2
    assert capsys.readouterr().err.startswith(f"error: {source}")
    assert list(tmp_path.iterdir()) == [source], "nothing is left behind"


def test_unmapped_keys_can_be_dropped(resnet18):
    state = {**resnet18.state_dict(), "layer1.0.se.weight": torch.ones(1)}
    converted = convert_weights(state, drop_unmapped=True)
    assert converted.left_out["layer1.0.se.weight"] == "not understood"


class Malicious:
    """Unpickles into a folder on disk: code that ran."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


class NestedMalicious(Malicious):
    """Reaches for the same through numpy, whose arrays are allowed."""

    def __reduce__(self):
        return getattr, (np.ndarray, "tofile")


def _broken(content: bytes):
    return lambda path: content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda p: pickle.dumps({"model": {"a": Malicious(p)}}), r"asks for posix\.mkdir"),
        (
            lambda p: pickle.dumps({"model": {"a": NestedMalicious(p)}}),
            r"asks for builtins\.getattr",
        ),
        (lambda p: pickle.dumps({"model": {"a": torch.ones(1)}}), r"asks for torch"),
        (lambda p: b"cnumpy\nload\n.", r"asks for numpy\.load"),
        (lambda p: b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x03\x00\x00\x00ziptR.", "codec 'zip'"),
        (_broken(b""), "was it copied whole"),
        (_broken(pickle.dumps({"model": {"a": np.ones(1000)}})[:500]), "was it copied whole"),
        (_broken(b"not a pickle"), "was it copied whole"),
        (_broken(pickle.dumps([1, 2])), "got list"),
        (_broken(pickle.dumps({"model": {"a": "text"}})), r"got <class 'str'> for 'a'"),
        (_broken(pickle.dumps({"model": {"a": np.array(["x"])}})), r"got <U1 for 'a'"),
        (_broken(pickle.dumps({"model": {"a": np.array([{}])}})), r"got object for 'a'"),
    ],
)
def test_pickles_that_are_refused(tool, tmp_path, capsys, content, message):
    source, output, witness = tmp_path / "in.pkl", tmp_path / "out.pth", tmp_path / "code ran"
    source.write_bytes(content(witness))
    with pytest.raises(InputError, match=message):
        read_zoo_pickle(source)
    assert tool.main([str(source), "-o", str(output)]) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert list(tmp_path.iterdir()) == [source], "no code ran, nothing was written"


def test_malicious_torch_files_are_refused(tool, tmp_path, capsys):
    source, witness = tmp_path / "in.pth", tmp_path / "code ran"
    torch.save({"model": {"a": Malicious(witness)}}, source)
    assert tool.main([str(source), "-o", str(tmp_path / "out.pth")]) == 2
    assert "mkdir" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("output", ["in.pth", "out.pkl"])
def test_outputs_that_are_refused(tool, resnet18, tmp_path, output, capsys):
    source = tmp_path / "in.pth"
    torch.save(resnet18.state_dict(), source)
    before = source.read_bytes()
    assert tool.main([str(source), "-o", str(tmp_path / output)]) == 2
    assert source.read_bytes() == before and list(tmp_path.iterdir()) == [source]
    assert capsys.readouterr().err.startswith("error: ")


def test_missing_input(tool, tmp_path, capsys):
    for name in ("absent.pkl", "absent.pth"):
        assert tool.main([str(tmp_path / name), "-o", str(tmp_path / "out.pth")]) == 2
        assert name in capsys.readouterr().err


@pytest.mark.parametrize("norm", ["FrozenBN", "EvalBN", "BN"])
def test_the_host_loads_what_the_tool_wrote(tool, resnet18, tmp_path, norm):
    source, output = tmp_path / "in.pth", tmp_path / "out.pth"
    torch.save(resnet18.state_dict(), source)
    assert tool.main([str(source), "-o", str(output), "--for", "backbone"]) == 0
    model = torch.nn.Module()
    model.backbone = FPN(ResNet(18, norm=norm), ["res2", "res3", "res4", "res5"], 8)
    DetectionCheckpointer(model).load(str(output))
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        got = model.eval().backbone.bottom_up(x)["res2"]
        y = resnet18.maxpool(resnet18.relu(resnet18.bn1(resnet18.conv1(x))))
        torch.testing.assert_close(got, resnet18.layer1(y))
