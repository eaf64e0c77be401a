"""Every config in configs/ builds, trains a step and segments a frame."""

from pathlib import Path

import numpy as np
import pytest
import torch

import vps.data
import vps.modeling  # noqa: F401
from vps.config import load_config
from vps.d2.data import MetadataCatalog
from vps.d2.modeling import build_model
from vps.engine import build_lr_scheduler, build_optimizer
from vps.modeling.vos.variants import VARIANTS
from vps.structures import Frame, InputError, PanopticFrame, Segment

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
MODELS = sorted(CONFIGS.glob("*/*.yaml"))


# The networks that are given masks, made small: these many configs should be tested within seconds.
SMALL_VOS = {
    "CHANNELS": 32,
    "FEED_FORWARD": 64,
    "SELF_HEADS": 4,
    "MATCH_HEADS": 1,
}


def small_options(cfg):
    """Options that turn a config into one for the CPU and for tiny pictures."""
    options = ["MODEL.DEVICE", "cpu", "INPUT.MIN_SIZE_TEST", "0"]
    if cfg.MODEL.META_ARCHITECTURE != "PanopticVOS":
        if cfg.DATASETS.TRAIN != ("shapes_vps_train",):  # there the whole network is tested
            options += ["MODEL.FPN.OUT_CHANNELS", "32", "MODEL.ROI_BOX_HEAD.FC_DIM", "64"]
            options += ["MODEL.VPSNET.SEMANTIC_HEAD.CONV_DIMS", "[32, 16]"]
            options += ["MODEL.VPSNET.TRACK_HEAD.FC_DIM", "64"]
        return options
    scales = len(VARIANTS[cfg.MODEL.VOS.VARIANT].layers)
    network = {name: [value] * scales for name, value in SMALL_VOS.items()}
    network.update(ENCODER_WIDTH=0.25, WINDOW=3)
    for name, value in network.items():
        options += [f"MODEL.VOS.NETWORK.{name}", str(value)]
    return options


def vos_clip(categories, size):
    """Two frames of noise with two objects, the last category's and the first one's."""
    ids = torch.zeros(2, size, size, dtype=torch.int32)
    ids[:, :12, :16], ids[:, 16:, 8:] = 3, 300
    return {
        "images": torch.randint(0, 256, (2, 3, size, size), dtype=torch.uint8),
        "ids": ids,
        "segments": {
            3: Segment(len(categories) - 1, categories[-1].isthing),
            300: Segment(0, categories[0].isthing),
        },
        "labelled": torch.tensor([True, True]),
        "frame_ids": ["0", "1"],
        "video_id": "noise",
    }


def given_masks(sample):
    """What is given in the first frame: the objects of a sample, at the size of a frame."""
    ids = np.zeros((50, 70), np.int32)
    height, width = sample["ids"].shape[1:]
    ids[:height, :width] = sample["ids"][0].numpy()
    given = PanopticFrame("0", ids, sample["segments"])
    return lambda frame: given if frame.frame_id == "0" else None


def clip(categories, size=64):
    """Two frames of noise with one segment per category, or of nine of them."""
    ids = torch.ones(2, size, size, dtype=torch.int32)
    segments = {}
    shown = np.unique(np.linspace(0, len(categories) - 1, 9).round().astype(int)).tolist()
    for number, category in enumerate(shown, 1):
        row, column = divmod(number - 1, 3)
        ids[:, 20 * row : 20 * row + 20, 20 * column : 20 * column + 20] = number
        segments[number] = Segment(category, categories[category].isthing)
    return {
        "images": torch.randint(0, 256, (2, 3, size, size), dtype=torch.uint8),
        "ids": ids,
        "segments": segments,
        "labelled": torch.tensor([True, True]),
        "frame_ids": ["0", "1"],
        "video_id": "noise",
    }


@pytest.mark.parametrize("path", MODELS, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_config(path):
    cfg = load_config(path)
    cfg = load_config(path, small_options(cfg))
    torch.manual_seed(0)
    model = build_model(cfg)
    optimizer = build_optimizer(cfg, model)
    build_lr_scheduler(cfg, optimizer)
    categories = MetadataCatalog.get(cfg.DATASETS.TRAIN[0]).categories
    references = None
    if cfg.MODEL.META_ARCHITECTURE == "PanopticVOS":
        sample = vos_clip(categories, 32 + int(model.network.align_corners))
        references = given_masks(sample)
    else:
        sample = clip(categories)
    losses = model([sample])
    assert all(torch.isfinite(loss) for loss in losses.values())
    sum(losses.values()).backward()
    idle = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert idle == [], "parameters that no loss reaches stop distributed training"
    optimizer.step()

    model.eval()
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    frames = (Frame(str(t), image) for t in range(2))
    results = list(model.segment_video(frames, references=references))
    assert [result.frame_id for result in results] == ["0", "1"]
    for result in results:
        assert result.ids.shape == (50, 70)
        assert set(np.unique(result.ids)) - {0} == set(result.segments)
    if references is not None:
        assert set(results[0].segments) == {3, 300}


def test_there_are_configs():
    assert len(MODELS) >= 3


@pytest.mark.parametrize(
    ("opts", "message"),
    [
        (["MODEL.VPSNET.TRACK_HAED.FC_DIM", "3"], "TRACK_HAED"),
        (["MODEL.ROI_HEADS.NUM_CLASSES", "7"], "NUM_CLASSES"),
        (["MODEL.VPSNET.PANOPTIC_HEAD.OUTSIDE_BOX", "inf"], "OUTSIDE_BOX"),
        (["DATASETS.TRAIN", "('no_such_data',)"], "no_such_data"),
    ],
)
def test_a_wrong_key_is_named(opts, message):
    with pytest.raises(InputError, match=message):
        build_model(load_config(CONFIGS / "shapes_vps/vpsnet_track_R_18.yaml", opts))


def test_an_unknown_key_in_yaml_is_named(tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text("MODEL:\n  NO_SUCH_KEY: 1\n")
    with pytest.raises(InputError, match=r"wrong\.yaml.*NO_SUCH_KEY"):
        load_config(path)
    for text in ("MODEL: [", ""):
        path.write_text(text)
        with pytest.raises(InputError, match=r"wrong\.yaml"):
            load_config(path)
    path.write_text("VERSION: 2\nMODEL: 3\n")
    with pytest.raises(InputError, match=r"wrong\.yaml"):
        load_config(path)
    with pytest.raises(InputError, match="does not exist"):
        load_config(tmp_path / "absent.yaml")


def test_yaml_runs_no_code(tmp_path):
    path = tmp_path / "evil.yaml"
    path.write_text('OUTPUT_DIR: !!python/object/apply:os.system ["exit 3"]\n')
    with pytest.raises(InputError, match=r"evil\.yaml"):
        load_config(path)
