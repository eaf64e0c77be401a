"""A VPSNet with random weights and every option that has code of its own, for tests of devices."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from test_configs import CONFIGS, clip, small_options

import vps.data  # noqa: F401
from vps.config import load_config
from vps.d2.data import MetadataCatalog
from vps.d2.modeling import build_model
from vps.modeling.vpsnet.association import VideoState
from vps.structures import Frame

CONFIG = CONFIGS / "shapes_vps/vpsnet_track_R_18.yaml"
OPTIONS = {
    "MODEL.FPN.OUT_CHANNELS": "32",
    "MODEL.ROI_BOX_HEAD.FC_DIM": "64",
    "MODEL.VPSNET.TRACK_HEAD.FC_DIM": "64",
    "MODEL.VPSNET.SEMANTIC_HEAD.DEFORMABLE": "True",
    "MODEL.VPSNET.SEMANTIC_HEAD.CONV_DIMS": "[32]",
    "MODEL.VPSNET.TRACK_HEAD.MASK_IOU_COEF": "1.0",
}


def small_vpsnet():
    """The model, in training mode, which finds things everywhere; and a clip to train on."""
    options = small_options(load_config(CONFIG))
    cfg = load_config(CONFIG, [*options, *(text for pair in OPTIONS.items() for text in pair)])
    torch.manual_seed(0)
    model = build_model(cfg)
    # Whatever is found stays, and its mask wins.
    model.rules = dataclasses.replace(
        model.rules, score_thresh=0.15, stuff_vote_thresh=1.1, stuff_area_min=5
    )
    torch.nn.init.constant_(model.roi_heads.mask_head.predictor.bias, 5.0)
    sample = clip(MetadataCatalog.get(cfg.DATASETS.TRAIN[0]).categories)
    torch.manual_seed(0)
    return model, sample


def segment(model, count=2):
    """Two frames of noise; as ``segment_video``, whose inference mode not every device knows."""
    image = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)
    state = VideoState()
    with torch.no_grad():
        return [model.segment_frame(Frame(str(t), image), state) for t in range(count)]
