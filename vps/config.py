"""Every configuration key that this project adds to Detectron2's, with its default and its meaning.

Keys of Detectron2 keep their names and meaning. An unknown key raises, in YAML and on the command
line alike.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from vps.d2.config import CfgNode as CN
from vps.d2.config import get_cfg
from vps.structures import InputError

# What CfgNode raises for unknown keys and for values of another type; TypeError: an empty file.
_CONFIG_ERRORS = (KeyError, TypeError, ValueError, AssertionError, AttributeError)

ConfigUse = Callable[[CN], None]
_USERS: list[ConfigUse] = []


def add_vps_config(cfg: CN) -> None:
    """Add the keys of this project to ``cfg``, in place."""
    _add_datasets(cfg)
    _add_input(cfg)
    _add_model(cfg)
    _add_vpsnet(cfg)
    _add_vos(cfg)
    _add_solver(cfg)
    _add_test(cfg)


def load_config(config_file: str | os.PathLike, opts: Sequence[str] = ()) -> CN:
    """Read a YAML file over the defaults, then ``opts`` = [key, value, key, value, ...]; frozen.

    Where ``vps.data`` is imported, the data sets of DATASETS.FOLDERS are registered.

    Raises:
        InputError: the file is missing or no YAML, or a key is unknown; names the file and the key.
            Or one of DATASETS.FOLDERS is no folder with categories.
    """
    cfg = get_cfg()
    add_vps_config(cfg)
    merge_config(cfg, config_file, opts)
    cfg.freeze()
    for use in _USERS:
        use(cfg)
    return cfg


def on_load(use: ConfigUse) -> ConfigUse:
    """A decorator: call ``use(cfg)`` with every config that ``load_config`` reads from now on.

    For what has to be in place before names in a config mean something; rooms above this one say so
    when they are imported.
    """
    _USERS.append(use)
    return use


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


def _add_datasets(cfg: CN) -> None:
    # Data sets of one's own, as (name, folder) each: folders with frames/, ids/ and categories.json
    # (datasets/README.md, "Your own data"), whose names TRAIN and TEST may then hold.
    cfg.DATASETS.FOLDERS = ()


def _add_input(cfg: CN) -> None:
    # How T frames are drawn from a video. "pair": frame 0 is any labelled frame (the target), frame
    # 1 a labelled frame at most MAX_GAP real frames away (the reference). "consecutive": LENGTH
    # labelled frames in a row. "sequence": a reference and LENGTH - 1 frames after it, each 1 to
    # MAX_GAP labelled frames behind the one before. "static": LENGTH frames made of one
    # (INPUT.STATIC).
    cfg.INPUT.CLIP = CN()
    cfg.INPUT.CLIP.SAMPLER = "pair"
    cfg.INPUT.CLIP.LENGTH = 2
    cfg.INPUT.CLIP.MAX_GAP = 5  # VPSNet: tau in {-5..5} (paper 4.1; the code takes -5 and +5 only)
    cfg.INPUT.CLIP.REVERSE = False  # play half of the clips backwards
    cfg.INPUT.CLIP.CACHE_MB = 0  # keep up to so many MB of decoded frames per loading process
    # What an item of the training set is: every labelled "frame" (the clip is for it), or every
    # "video", of which a labelled frame is drawn. A data set that is named twice in DATASETS.TRAIN
    # counts twice.
    cfg.INPUT.CLIP.ITEM = "frame"
    # For "sequence" and "static", whose frame 0 is a reference (AOT): it shows more labelled pixels
    # than MIN_REFERENCE_AREA; objects with no more than MIN_OBJECT_AREA pixels in the reference, as
    # it is after resizing and cropping, are removed; and of more than MAX_OBJECTS a random choice
    # stays: [] all, [objects], or [things, stuff].
    cfg.INPUT.CLIP.MIN_REFERENCE_AREA = 200
    cfg.INPUT.CLIP.MIN_OBJECT_AREA = 100
    cfg.INPUT.CLIP.MAX_OBJECTS = [10]
    # How often the objects of another clip are pasted over this one ("dynamic merging").
    cfg.INPUT.CLIP.MERGE_PROBABILITY = 0.0

    # Scaling by U(0.7, 1.3) of 480 pixels is MIN_SIZE_TRAIN (336, 624) with sampling "range".
    cfg.INPUT.INTERPOLATION = "bilinear"  # or "bicubic": how pictures are resized
    cfg.INPUT.CROP.TRIES = 10  # crops that are drawn until one keeps enough of the labels
    # Pad frames that are smaller than an "absolute" crop to its size: with PAD_COLOR (RGB), and
    # void in the labels.
    cfg.INPUT.CROP.PAD = False
    cfg.INPUT.PAD_COLOR = [124, 116, 104]

    # Random brightness, contrast and saturation, each by a factor in 1 +- COLOR_JITTER, one draw
    # per clip.
    cfg.INPUT.COLOR_JITTER = 0.0
    cfg.INPUT.COLOR = CN()
    cfg.INPUT.COLOR.PER_FRAME = False  # draw all of these for each frame anew
    cfg.INPUT.COLOR.JITTER_PROBABILITY = 1.0
    cfg.INPUT.COLOR.SATURATION = None  # None: as COLOR_JITTER
    cfg.INPUT.COLOR.HUE = 0.0  # at most this share of the colour circle, to either side
    cfg.INPUT.COLOR.GRAYSCALE_PROBABILITY = 0.0
    cfg.INPUT.COLOR.BLUR_PROBABILITY = 0.0
    cfg.INPUT.COLOR.BLUR_SIGMA = [0.1, 2.0]  # pixels

    # Sampler "static": how frames of CROP.SIZE are made of one picture. Every frame is a random
    # part of it with AREA of its pixels and RATIO of width to height; frames 1, 2, ... are flipped,
    # turned, shifted, zoomed and slanted before. (RANDOM_FLIP "horizontal" flips half of the
    # clips.)
    static = cfg.INPUT.STATIC = CN()
    static.FLIP = 0.3  # probability, for each frame
    static.ROTATION = 20.0  # degrees to either side
    static.SHIFT = 0.1  # share of the picture's sides
    static.SCALE = [0.9, 1.1]
    static.SHEAR = 10.0  # degrees to either side
    static.AREA = [0.8, 1.0]
    static.RATIO = [0.75, 4 / 3]
    # A thin-plate spline with so many control points, moved by SPLINE_SIGMA of the picture's sides:
    # 0 in AOT, 0.3 in PAOT.
    static.SPLINE_PROBABILITY = 0.0
    static.SPLINE_POINTS = 12
    static.SPLINE_SIGMA = 0.02


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


def _add_vos(cfg: CN) -> None:
    cfg.MODEL.VOS = CN()
    # A row of the table in vps/modeling/vos/variants.py: AOT-T, AOT-S, AOT-B, AOT-L, R50-AOT-L,
    # SwinB-AOT-L, AOST, R50-AOST, SwinB-AOST, AOST-share, R50-PAOT, R50-PAOT-PanoID, SwinB-PAOT,
    # SwinB-PAOT-PanoID.
    cfg.MODEL.VOS.VARIANT = "AOT-T"
    # Weights of the encoder alone: a file of torchvision (ImageNet). Empty: random, or as
    # MODEL.WEIGHTS says.
    cfg.MODEL.VOS.ENCODER_WEIGHTS = ""

    # Settings that differ from the variant's; None keeps its own. Meanings: NetworkSettings in
    # vps/modeling/vos/variants.py. Lists have one value per scale: one, or four for "pyramid".
    network = cfg.MODEL.VOS.NETWORK = CN()
    network.ENCODER = None  # "mobilenet_v2", "resnet50", "swin_b"
    network.ENCODER_WIDTH = None  # factor on the encoder's channels; 1.0 is published
    network.ENCODER_NORM = None  # "FrozenBN"; "BN" to train from random weights
    network.ENCODER_FREEZE_AT = None  # 2: stem and stride 4 stage fixed
    network.ENCODER_DROP_PATH = None  # Swin only
    network.ALIGN_CORNERS = None  # True: sides 16k+1 (MobileNetV2, ResNet); False: 16k (Swin)
    network.CHANNELS = None
    network.LAYERS = None
    network.BLOCK = None  # "v1" (AOT), "v2" (AOST, PAOT)
    network.SHARE_LAYERS = None
    network.SELF_HEADS = None
    network.MATCH_HEADS = None
    network.FEED_FORWARD = None
    network.SELF_STRIDE = None  # keys of self-attention: every n-th token
    network.MEMORY_STRIDE = None  # long-term memory: every n-th row and column
    network.WINDOW = None  # of short-term attention, odd
    network.DROP_PATH = None
    network.DROP_PATH_MATCH = None
    network.NORMALIZE_STREAM = None
    network.IDENTITY_BANK = None  # "patch" (code), "vector" (paper)
    network.IDENTITY_NORM = None
    network.CAPACITY = None  # objects (Pano-ID: things) per group
    network.STUFF_CAPACITY = None  # 0: one bank; else Pano-ID with so many regions of stuff
    network.GATE_PER_HEAD = None  # True (code), False (paper)
    network.DECODER = None  # "fpn", "scalable_fpn", "pyramid"
    network.PYRAMID_ENTRY = None  # "conv", "residual"
    network.MEMORY_GAP_TRAIN = None  # frames between writes into long-term memory; 0 = references
    network.MEMORY_GAP_TEST = None
    network.MERGE = None  # groups of objects are merged at "full" size or at "stride4"

    # What id 0 is in the losses: "background" (VOS data: none of the objects) or "ignore" (panoptic
    # data: unknown).
    cfg.MODEL.VOS.ZERO_LABEL = "background"
    # How training changes with time; *_UNTIL and *_FROM are parts of SOLVER.MAX_ITER.
    training = cfg.MODEL.VOS.TRAINING = CN()
    # Cross-entropy is the mean over the share of pixels where it is highest: from all of them at
    # first down to PIXEL_SHARE at PIXEL_SHARE_UNTIL.
    training.PIXEL_SHARE = 0.15
    training.PIXEL_SHARE_UNTIL = 0.5
    # The weight of the reference frame's own loss falls from 1 to 0 (pre-training: 0.1, PAOT: .75).
    training.REFERENCE_LOSS_UNTIL = 1.0
    # From here on memory gets the network's own answers, and the identity bank is frozen; 1 = never
    # (pre-training).
    training.FEEDBACK_FROM = 0.5
    # AOST: the loss of each further depth weighs so many times the one before; 0 = only the
    # deepest is supervised.
    training.DEPTH_FACTOR = 0.0
    training.PERMUTE_IDENTITIES = True  # which object has which identity is drawn anew each step

    inference = cfg.MODEL.VOS.INFERENCE = CN()
    # Frames are shrunk to at most so many pixels on their long side (1040 = "1.3 x 480p").
    inference.MAX_LONG_SIDE = 1040
    # Several SCALES: the short side is limited to so much before it is multiplied by each.
    inference.MAX_SHORT_SIDE = 624
    inference.SCALES = [1.0]  # test-time augmentation: each scale propagates on its own
    inference.ANTIALIAS = False  # how frames are shrunk; for sizes far below those of the frames
    inference.FLIP = False  # and each once more, mirrored
    # Frames in long-term memory per group, at most; the oldest that is no reference goes first.
    # 0 = no limit (the official habit; memory then grows with the video).
    inference.MEMORY_CAP = 0
    inference.DEPTH = 0  # layers to pass (AOST: 1..3); 0 = all

    # Who gives the masks that are followed, where the caller gives none. "ground_truth": the data
    # set (the protocol of the benchmarks); "panoptic_first": a panoptic model, in the first frame;
    # "panoptic_every_k": the same in frames 0, EVERY, 2 EVERY, ..., which begins and ends tracks.
    references = cfg.MODEL.VOS.REFERENCES = CN()
    references.MODE = "ground_truth"
    references.CONFIG_FILE = ""  # of the panoptic model, of any meta-architecture
    references.WEIGHTS = ""  # its checkpoint; empty: MODEL.WEIGHTS of its config
    references.EVERY = 5
    references.IOU = 0.5  # a detected thing is a followed one if the IoU of their masks is above
    references.MIN_AREA = 64  # pixels that a new track needs
    # Which pixels a detection gives to the track that it matches: "keep" (none), "fill" (those
    # where nothing was predicted) or "replace" (all that it has).
    references.KNOWN = "fill"
    references.MISSES = 3  # a track that so many detections in a row do not find ends


def _add_solver(cfg: CN) -> None:
    cfg.SOLVER.OPTIMIZER = "SGD"  # or "ADAMW"
    cfg.SOLVER.BACKBONE_MULTIPLIER = 1.0  # learning rate of the backbone relative to the rest
    # Parts of dotted parameter names whose parameters have no weight decay.
    cfg.SOLVER.NO_WEIGHT_DECAY = ()
    # Of LR_SCHEDULER_NAME "WarmupPolyLR" (AOT): from BASE_LR_END up to BASE_LR in WARMUP_ITERS
    # iterations, then back along (1 - progress) ** POLY_POWER.
    cfg.SOLVER.POLY_POWER = 0.9
    # Exponential moving average of the weights, with decay 1 - 1 / (SPAN * MAX_ITER). The average
    # is what is evaluated and what checkpoints give to others.
    cfg.SOLVER.EMA = CN()
    cfg.SOLVER.EMA.ENABLED = False
    cfg.SOLVER.EMA.SPAN = 0.1
    # Several processes: set it if a step may leave parameters without a gradient (slower).
    cfg.SOLVER.FIND_UNUSED_PARAMETERS = False


def _add_test(cfg: CN) -> None:
    # What is scored beside what the evaluator_type of the data set says: any of
    # "video_panoptic_seg" (VPQ, STQ), "viposeg", "davis" (J&F), "youtube_vos".
    cfg.TEST.EVALUATORS = ()
    cfg.TEST.VPQ_WINDOWS = (1, 2, 4, 6)  # lengths of the windows of VPQ, in labelled frames
    cfg.TEST.SAVE_RESULTS = False  # write what was predicted
    # In which form: "panoptic" (PNG + JSON as our own data sets) or that of a submission: "vipseg",
    # "cityscapes_vps", "viper", "viposeg", "davis", "youtube_vos".
    cfg.TEST.RESULT_FORM = "panoptic"
    # "task/name" of a score, such as "panoptic_video/VPQ": the weights with the highest are kept in
    # model_best.pth. Empty: they are not.
    cfg.TEST.BEST_METRIC = ""
