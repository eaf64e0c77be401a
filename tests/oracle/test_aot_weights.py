"""The authors' checkpoints: every key and shape of ten models finds its place, and counts agree."""

from __future__ import annotations

import json

import pytest
import torch
from aot_fixture import MODELS, official_weights, recipe

from vps.modeling.vos.network import VOSNetwork
from vps.modeling.vos.official_names import convert_official, official_name
from vps.modeling.vos.variants import network_settings
from vps.structures import InputError

PARAMETERS = {  # of the authors' programs; frozen batch normalisation counts as buffers
    "aott": 5_734_099,
    "aots": 6_998_235,
    "aotl": 8_262_371,
    "r50_aotl": 14_909_923,
    "swinb_aotl": 65_398_683,
    "aost_d1": 5_802_203,
    "aost_d2": 7_266_027,
    "aost_d3": 8_795_387,
    "r50_paot_generic": 22_008_147,
    "r50_paot_pano": 29_053_144,
}


@pytest.fixture(scope="module")
def keys_dir(shared_dir):
    folder = shared_dir / "oracles" / "aot" / "keys"
    if not folder.is_dir():
        pytest.skip("needs oracles/aot/keys in the shared folder")
    return folder


@pytest.mark.parametrize("model", MODELS)
def test_every_official_key_finds_its_place(keys_dir, model):
    """Strict both ways, by shape; what is left out makes up the difference in parameters."""
    variant, changes = MODELS[model]
    settings = network_settings(variant, changes)
    weights = official_weights(keys_dir / f"{model}.json", fill=False)
    converted = convert_official(weights, settings)
    with torch.device("meta"):
        network = VOSNetwork(settings)
    assert len(converted.tensors) == len(network.state_dict())
    ours = sum(p.numel() for p in network.parameters())
    left_out = sum(weights[key].numel() for key in converted.left_out)
    assert ours + left_out == PARAMETERS[model]
    frozen = sum(p.numel() for p in network.parameters() if not p.requires_grad)
    record = json.loads((keys_dir / f"{model}.json").read_text())
    assert frozen == record["n_parameters"] - record["n_trainable_parameters"]


@pytest.mark.parametrize("part", ["identity_banks", "decoder", "encoder"])
def test_a_missing_part_is_refused(keys_dir, part):
    weights = official_weights(keys_dir / "aott.json", fill=False)
    theirs = {"identity_banks": "patch_wise_id_bank.bias", "decoder": "decoder.conv_out.bias"}
    del weights[theirs.get(part, "encoder.features.0.0.weight")]
    with pytest.raises(InputError, match=f"lacks our .*{part}"):
        convert_official(weights, network_settings("AOT-T"))


def test_an_unknown_key_and_another_variant_are_refused(keys_dir):
    weights = official_weights(keys_dir / "aott.json", fill=False)
    with pytest.raises(InputError, match=r"unknown keys LSTT\.extra"):
        convert_official(weights | {"LSTT.extra": torch.ones(1)}, network_settings("AOT-T"))
    with pytest.raises(InputError, match="another variant"):
        convert_official(weights, network_settings("AOT-S"))
    with pytest.raises(InputError, match="capacity"):
        convert_official(weights, network_settings("AOT-T", {"capacity": 5}))


def test_prefix_and_mask_token_are_optional(keys_dir):
    weights = official_weights(keys_dir / "aott.json", fill=False)
    del weights["LSTT.mask_token"]
    settings = network_settings("AOT-T")
    plain = convert_official(weights, settings)
    prefixed = convert_official({f"module.{k}": v for k, v in weights.items()}, settings)
    assert plain.tensors.keys() == prefixed.tensors.keys()
    assert not plain.left_out


@pytest.mark.parametrize("depth", [1, 2])
def test_a_deep_aost_loads_into_shallower_ones(keys_dir, depth):
    """The tensors that stay are those of the model that was recorded at that depth."""
    settings = network_settings("AOST", {"layers": (depth,)})
    deep = convert_official(official_weights(keys_dir / "aost_d3.json", fill=False), settings)
    shallow = convert_official(
        official_weights(keys_dir / f"aost_d{depth}.json", fill=False), settings
    )
    assert deep.tensors.keys() == shallow.tensors.keys()
    assert set(deep.left_out.values()) == {"layers below the wanted depth"}
    shapes = {key: value.shape for key, value in shallow.tensors.items()}
    assert {key: value.shape for key, value in deep.tensors.items()} == shapes


def official_swin_paot(keys_dir, shortcut: tuple[str, str]) -> dict[str, torch.Tensor]:
    """SwinB-PAOT by its authors' names, as far as other models tell them: Swin's from SwinB-AOT-L,
    the pyramid's from R50-PAOT, the entries' residual units by the names of the refinements'.

    Args:
        shortcut: what to call the convolution and the norm of the units' shortcuts.
    """
    with torch.device("meta"):
        expected = VOSNetwork(network_settings("SwinB-PAOT")).state_dict()
    swin = official_weights(keys_dir / "swinb_aotl.json", fill=False)
    weights = {key: value for key, value in swin.items() if key.startswith("encoder.")}
    for key, value in official_weights(keys_dir / "r50_paot_generic.json", fill=False).items():
        if not key.startswith(("encoder.", "MSLSTT.convs_in.")):
            same = value.numel() == expected.get(official_name(key), value).numel()
            weights[key] = value if same else expected[official_name(key)]
    theirs = {"conv1": "conv1", "conv2": "conv2", "conv1.norm": "gn1", "conv2.norm": "gn2"}
    theirs |= {"shortcut": shortcut[0], "shortcut.norm": shortcut[1]}
    for name, value in expected.items():
        if name.startswith("matching.entries."):
            _, _, scale, unit, *part, what = name.split(".")
            unit = unit.replace("unit", "res")
            key = f"MSLSTT.convs_in.{scale}.{unit}.{theirs['.'.join(part)]}.{what}"
            weights[key] = value
    return weights


@pytest.mark.parametrize(
    "shortcut", [("downsample", "gn3"), ("conv3", "gn3"), ("skip.conv", "skip.gn"), ("a.0", "a.1")]
)
def test_shortcuts_are_known_whatever_they_are_called(keys_dir, shortcut):
    settings = network_settings("SwinB-PAOT")
    with torch.device("meta"):
        expected = VOSNetwork(settings).state_dict()
    converted = convert_official(official_swin_paot(keys_dir, shortcut), settings)
    assert len(converted.tensors) == len(expected)


def test_a_unit_with_more_than_a_shortcut_is_refused(keys_dir):
    weights = official_swin_paot(keys_dir, ("downsample", "gn3"))
    settings = network_settings("SwinB-PAOT")
    unit = "MSLSTT.convs_in.1.res1"
    extra = {f"{unit}.gn4.weight": torch.empty(256, device="meta")}
    with pytest.raises(InputError, match=r"unknown keys .*convs_in\.1\.res1\.downsample"):
        convert_official(weights | extra, settings)
    del weights[f"{unit}.gn3.bias"]
    with pytest.raises(InputError, match=r"unknown keys .*convs_in\.1\.res1\.downsample"):
        convert_official(weights, settings)


def test_the_recipe_gives_the_recorded_numbers(keys_dir):
    """First and last value, and sums, of some filled tensors (before all comparisons)."""
    record = json.loads((keys_dir / "aott.json").read_text())
    checks = dict(list(record["fill_check"].items())[::40])
    shapes = {key: shape for key, shape, _ in record["keys"]}
    assert checks
    for key, (first, last, total, absolute) in checks.items():
        filled = recipe(key, shapes[key]).double()
        assert filled.flatten()[0] == pytest.approx(first, rel=1e-5, abs=1e-7), key
        assert filled.flatten()[-1] == pytest.approx(last, rel=1e-5, abs=1e-7), key
        assert filled.sum() == pytest.approx(total, rel=1e-5, abs=1e-4), key
        assert filled.abs().sum() == pytest.approx(absolute, rel=1e-5), key
