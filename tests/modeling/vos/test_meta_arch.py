"""The meta-architecture: configs, encoder weights, references, steps of a training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchvision
from small_networks import given_at, squares, video

import vps.data
import vps.modeling  # noqa: F401
from vps.config import load_config
from vps.d2.modeling import build_model
from vps.d2.utils import EventStorage
from vps.modeling.vos.encoder_weights import load_encoder_weights
from vps.modeling.vos.encoders import MobileNetV2Encoder, ResNetEncoder, SwinEncoder
from vps.structures import InputError, Segment

SMALL = [
    "MODEL.META_ARCHITECTURE",
    "PanopticVOS",
    "MODEL.DEVICE",
    "cpu",
    "DATASETS.TRAIN",
    "('shapes_vps_train',)",
    "INPUT.FORMAT",
    "RGB",
    "MODEL.VOS.NETWORK.ENCODER_WIDTH",
    "0.25",
    "MODEL.VOS.NETWORK.CHANNELS",
    "[32]",
    "MODEL.VOS.NETWORK.SELF_HEADS",
    "[4]",
    "MODEL.VOS.NETWORK.MATCH_HEADS",
    "[4]",
    "MODEL.VOS.NETWORK.FEED_FORWARD",
    "[64]",
    "MODEL.VOS.NETWORK.WINDOW",
    "5",
]


@pytest.fixture
def build(tmp_path):
    """A small model with some keys changed."""
    empty = tmp_path / "config.yaml"
    empty.write_text("VERSION: 2\n")

    def from_options(*options):
        torch.manual_seed(0)
        return build_model(load_config(empty, [*SMALL, *options]))

    return from_options


def test_a_config_reaches_the_network_and_the_engine(build):
    model = build(
        *("MODEL.VOS.VARIANT", "AOST", "MODEL.VOS.NETWORK.LAYERS", "[2]"),
        *("MODEL.VOS.INFERENCE.SCALES", "[1.2, 1.3]", "MODEL.VOS.INFERENCE.FLIP", "True"),
        *("MODEL.VOS.INFERENCE.MEMORY_CAP", "8", "MODEL.VOS.INFERENCE.DEPTH", "1"),
        *("MODEL.VOS.NETWORK.MEMORY_GAP_TEST", "3"),
    )
    assert model.network.depth == 2 and model.depth == 1
    assert [(view.scale, view.flip) for view in model.views] == [
        (1.2, False),
        (1.2, True),
        (1.3, False),
        (1.3, True),
    ]
    for view in model.views:
        assert (view.max_short_side, view.memory_cap, view.memory_gap) == (624, 8, 3)
        assert view.merge == "stride4"
    assert build().views[0].max_short_side == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["MODEL.VOS.VARIANT", "AOT-XL"], "AOT-XL"),
        (["MODEL.VOS.NETWORK.LAYERS", "[1, 1]"], r"MODEL\.VOS\.NETWORK\.layers"),
        (["MODEL.VOS.INFERENCE.SCALES", "[]"], "SCALES"),
        (["INPUT.FORMAT", "BGR"], "INPUT.FORMAT"),
        (["DATASETS.TRAIN", "('nothing',)"], "nothing"),
    ],
)
def test_wrong_keys_are_named(build, options, message):
    with pytest.raises(InputError, match=message):
        build(*options)


def test_videos(build):
    """References by the caller; the state of a video is no part of the model."""
    model = build().eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    given = given_at({"000": squares((49, 65), {12: (4, 4), 400: (30, 40)})})
    first, second = (model.segment_video(video(3), references=given) for _ in range(2))
    for one, other in zip(first, second, strict=True):  # two streams at a time
        assert (one.ids == other.ids).all()
        assert one.ids.dtype == np.int32
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    with pytest.raises(InputError, match="panoptic_first"):
        list(model.segment_video(video(1)))
    with pytest.raises(RuntimeError, match="eval"):
        list(build().train().segment_video(video(1), references=given))


def test_training_knows_its_progress(build):
    """The schedule reads the iteration of the training that runs."""
    model = build("SOLVER.MAX_ITER", "100", "MODEL.VOS.TRAINING.REFERENCE_LOSS_UNTIL", "0.5")
    ids = torch.zeros(3, 65, 65, dtype=torch.int32)
    ids[:, 10:40, 10:40] = 5
    clip = {
        "images": torch.randint(0, 256, (3, 3, 65, 65), dtype=torch.uint8),
        "ids": ids,
        "segments": {5: Segment(0, True)},
        "labelled": torch.ones(3, dtype=torch.bool),
        "frame_ids": ["0", "1", "2"],
        "video_id": "v",
    }
    weights = []
    for iteration in (0, 25, 50):
        with EventStorage(iteration):
            weights.append(float(model([clip])["loss_reference"].detach()))
    assert weights[0] > weights[1] > weights[2] == 0


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet50", "swin"])
def test_torchvision_weights(tmp_path, name):
    """The features are torchvision's; weights of another network are refused."""
    torch.manual_seed(0)
    if name == "mobilenet_v2":
        theirs, ours = torchvision.models.mobilenet_v2(), MobileNetV2Encoder()
    elif name == "resnet50":
        theirs, ours = torchvision.models.resnet50(), ResNetEncoder()
    else:
        theirs = torchvision.models.swin_b()
        ours = SwinEncoder()
    for key, tensor in theirs.state_dict().items():
        if key.endswith(("running_mean", "running_var")):
            tensor.uniform_(0.5, 1.5)
    path = tmp_path / "weights.pth"
    torch.save(theirs.state_dict(), path)
    load_encoder_weights(ours, path)
    theirs.eval(), ours.eval()
    # torchvision does not shift Swin's windows on maps of one window; the encoder does.
    image = torch.randn(1, 3, 128, 160) if name == "swin" else torch.randn(1, 3, 64, 96)
    with torch.inference_mode():
        maps = ours(image).maps
        if name == "resnet50":
            x = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(image))))
            expected = [x := stage(x) for stage in (theirs.layer1, theirs.layer2, theirs.layer3)]
        elif name == "mobilenet_v2":
            expected = [theirs.features[:end](image) for end in (4, 7, 14)]
        else:
            expected = [theirs.features[:end](image) for end in (2, 4, 6)]
            expected = [
                norm(x).permute(0, 3, 1, 2) for norm, x in zip(ours.norms, expected, strict=True)
            ]
    for found, wanted in zip(maps, expected, strict=True):
        assert torch.allclose(found, wanted, atol=1e-4 * float(wanted.std()))
    other = MobileNetV2Encoder() if name != "mobilenet_v2" else ResNetEncoder()
    with pytest.raises(InputError, match="ENCODER_WEIGHTS"):
        load_encoder_weights(other, path)
