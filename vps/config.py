"""Every configuration key that this project adds to Detectron2's, with its default and its meaning.

Keys of Detectron2 keep their names and meaning. An unknown key raises, in YAML and on the command
line alike.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from vps.d2.config import CfgNode as CN
from vps.d2.config import get_cfg
from vps.structures import InputError

# What CfgNode raises for unknown keys and for values of another type; TypeError: an empty file.
_CONFIG_ERRORS = (KeyError, TypeError, ValueError, AssertionError, AttributeError)


def add_vps_config(cfg: CN) -> None:
    """Add the keys of this project to ``cfg``, in place."""
    _add_input(cfg)
    _add_model(cfg)
    _add_vpsnet(cfg)
    _add_solver(cfg)
    _add_test(cfg)


def load_config(config_file: str | os.PathLike, opts: Sequence[str] = ()) -> CN:
    """Read a YAML file over the defaults, then ``opts`` = [key, value, key, value, ...]; frozen.

    Raises:
        InputError: the file is missing or no YAML, or a key is unknown; names the file and the key.
    """
    cfg = get_cfg()
    add_vps_config(cfg)
    merge_config(cfg, config_file, opts)
    cfg.freeze()
    return cfg


def merge_config(cfg: CN, config_file: str | os.PathLike, opts: Sequence[str] = ()) -> None:
    """Merge a YAML file and then ``opts`` into ``cfg``, in place; errors as in ``load_config``."""
    import yaml

    if not os.path.isfile(config_file):
        raise InputError(f"config file {config_file} does not exist")
    try:
        # Detectron2 would fall back to yaml.unsafe_load, which runs code that a file contains.
        cfg.merge_from_file(str(config_file), allow_unsafe=False)
    except (*_CONFIG_ERRORS, yaml.YAMLError) as error:
        raise InputError(f"config file {config_file}: {_first(error)}") from error
    try:
        cfg.merge_from_list(list(opts))
    except _CONFIG_ERRORS as error:
        raise InputError(f"command line option: {_first(error)}") from error


def _first(error: Exception) -> str:
    return str(error.args[0]) if error.args else type(error).__name__


def _add_input(cfg: CN) -> None:
    # How T frames are drawn from a video. "pair": frame 0 is any labelled frame (the target), frame
    # 1 a labelled frame at most MAX_GAP real frames away (the reference). "consecutive": LENGTH
    # labelled frames in a row.
    cfg.INPUT.CLIP = CN()
    cfg.INPUT.CLIP.SAMPLER = "pair"
    cfg.INPUT.CLIP.LENGTH = 2
    cfg.INPUT.CLIP.MAX_GAP = 5  # VPSNet: tau in {-5..5} (paper 4.1; the code takes -5 and +5 only)
    cfg.INPUT.CLIP.REVERSE = False  # play half of the clips backwards
    cfg.INPUT.CLIP.CACHE_MB = 0  # keep up to so many MB of decoded frames per loading process
    # Random brightness, contrast and saturation, each by a factor in 1 +- COLOR_JITTER, one draw
    # per clip.
    cfg.INPUT.COLOR_JITTER = 0.0


def _add_model(cfg: CN) -> None:
    cfg.MODEL.CHANNELS_LAST = False  # memory format of the model; faster convolutions on the CPU
    # The box side that is pooled from level p4 (FPN, eq. 1). Detectron2 fixes it at 224.
    cfg.MODEL.ROI_HEADS.CANONICAL_BOX_SIZE = 224


def _add_vpsnet(cfg: CN) -> None:
    cfg.MODEL.VPSNET = CN()
    # Take all losses on the reference frame too, with the target as its reference. The released
    # code trains on the target alone, although both frames went through the backbone.
    cfg.MODEL.VPSNET.SUPERVISE_REFERENCE = False

    # Semantic head (UPSNet): one sub-net shared by all levels, of deformable convolutions.
    head = cfg.MODEL.VPSNET.SEMANTIC_HEAD = CN()
    head.IN_FEATURES = ["p2", "p3", "p4", "p5"]
    # Output channels of each deformable convolution. VPSNet's released code has three, UPSNet's
    # Cityscapes model two (128, 128); the VPSNet++ paper does not say.
    head.CONV_DIMS = [256, 128, 128]
    head.NORM = "GN"
    # False: ordinary convolutions in place of the deformable ones (for CPU-sized models).
    head.DEFORMABLE = True
    head.LOSS_WEIGHT = 1.0
    # Where the cross-entropy is taken: "full" resolution (released code) or "score", at stride 4
    # (paper: "down-sampled to 200x400").
    head.LOSS_RESOLUTION = "full"

    # Panoptic head: parameter-free.
    panoptic = cfg.MODEL.VPSNET.PANOPTIC_HEAD = CN()
    panoptic.LOSS_WEIGHT = 0.5  # released code; the VPSNet++ paper has 1.0
    # Logit of an instance outside of its box. The released code has 0, so that a far away instance
    # wins wherever all stuff logits are negative; minus infinity does what the paper draws.
    panoptic.OUTSIDE_BOX = "-inf"  # or "zero"
    panoptic.SCORE_THRESH = 0.6  # softmax score over the things and background
    panoptic.NMS_THRESH = 0.5  # between boxes of all classes
    panoptic.MAX_INSTANCES = 100
    # An instance is dropped if more than this share of its mask is covered by better ones of its
    # own class.
    panoptic.MASK_OVERLAP_THRESH = 0.3
    # A region of an instance turns into the stuff class that the semantic head gives to at least
    # this share of it.
    panoptic.STUFF_VOTE_THRESH = 0.5
    panoptic.STUFF_AREA_MIN = 2048  # smaller areas of a stuff class become void; pixels
    # Smaller visible areas of an instance become void; pixels. 0 = keep all, as released.
    panoptic.THING_AREA_MIN = 0

    # Track head (MaskTrack R-CNN's, with VPSNet's coefficients).
    track = cfg.MODEL.VPSNET.TRACK_HEAD = CN()
    track.ENABLED = True
    track.FC_DIM = 1024
    track.LOSS_WEIGHT = 0.5  # released code; the paper has 1.0
    # Score(i, j) = log softmax(match) + SCORE_COEF log s_i + IOU_COEF IoU + CLASS_COEF [same class]
    track.SCORE_COEF = 1.0
    track.IOU_COEF = 2.0
    track.CLASS_COEF = 10.0
    # Weight of the IoU between an instance's mask and its last one: the "IoU of things logits" that
    # the VPSNet++ paper names without a coefficient. 0 = VPSNet (CVPR 2020).
    track.MASK_IOU_COEF = 0.0
    # Detections that the mask overlap rule removes enter the memory in the released code. Pruning
    # first keeps ids for things that are seen.
    track.PRUNE_BEFORE = True
    # Of several detections that want the same track the best gets it. "best": the others become new
    # tracks, as in VPSNet; "next_best": they take their best track that is still free.
    track.ASSIGNMENT = "best"
    # The released code never forgets a track. Here the ones not seen for longest go first when
    # there are more than so many, so that memory stays bounded on a video of any length.
    track.MAX_TRACKS = 1000


def _add_solver(cfg: CN) -> None:
    cfg.SOLVER.OPTIMIZER = "SGD"  # or "ADAMW"
    cfg.SOLVER.BACKBONE_MULTIPLIER = 1.0  # learning rate of the backbone relative to the rest
    # Several processes: set it if a step may leave parameters without a gradient (slower).
    cfg.SOLVER.FIND_UNUSED_PARAMETERS = False


def _add_test(cfg: CN) -> None:
    cfg.TEST.VPQ_WINDOWS = (1, 2, 4, 6)  # lengths of the windows of VPQ, in labelled frames
    cfg.TEST.SAVE_RESULTS = False  # write PNG + JSON of what was predicted
    # "task/name" of a score, such as "panoptic_video/VPQ": the weights with the highest are kept in
    # model_best.pth. Empty: they are not.
    cfg.TEST.BEST_METRIC = ""
