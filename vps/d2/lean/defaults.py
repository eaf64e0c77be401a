"""The default config: the keys of Detectron2 that two-stage panoptic models and the default
trainer read, names and values unchanged.

Left out are the sections of models that nothing here builds (RetinaNet, cascade and keypoint
heads): a YAML that sets them raises. What each key means is told by Detectron2's own reference of
configs; remarks here say what that reference does not. The values are held to a record of the real
ones by ``tests/contract/test_defaults.py``. The program's own keys are in ``vps/config.py``.

This module imports no torch.
"""

from __future__ import annotations

from .config import CfgNode

__all__ = ["DEFAULTS"]

MODEL = {
    "META_ARCHITECTURE": "GeneralizedRCNN",
    "DEVICE": "cuda",
    "WEIGHTS": "",
    "MASK_ON": False,
    "KEYPOINT_ON": False,
    "LOAD_PROPOSALS": False,
    "PIXEL_MEAN": [103.530, 116.280, 123.675],  # in the channel order of INPUT.FORMAT
    "PIXEL_STD": [1.0, 1.0, 1.0],
}

MODEL["BACKBONE"] = {"NAME": "build_resnet_backbone", "FREEZE_AT": 2}

MODEL["RESNETS"] = {
    "DEPTH": 50,
    "OUT_FEATURES": ["res4"],
    "NUM_GROUPS": 1,
    "NORM": "FrozenBN",
    "WIDTH_PER_GROUP": 64,
    "STRIDE_IN_1X1": True,  # False for torchvision's ImageNet weights
    "RES5_DILATION": 1,
    "RES2_OUT_CHANNELS": 256,
    "STEM_OUT_CHANNELS": 64,
    "DEFORM_ON_PER_STAGE": [False, False, False, False],
    "DEFORM_MODULATED": False,
    "DEFORM_NUM_GROUPS": 1,
}

MODEL["FPN"] = {"IN_FEATURES": [], "OUT_CHANNELS": 256, "NORM": "", "FUSE_TYPE": "sum"}

MODEL["PROPOSAL_GENERATOR"] = {"NAME": "RPN", "MIN_SIZE": 0}

MODEL["ANCHOR_GENERATOR"] = {
    "NAME": "DefaultAnchorGenerator",
    "SIZES": [[32, 64, 128, 256, 512]],
    "ASPECT_RATIOS": [[0.5, 1.0, 2.0]],
    "ANGLES": [[-90, 0, 90]],
    "OFFSET": 0.0,
}

MODEL["RPN"] = {
    "HEAD_NAME": "StandardRPNHead",
    "IN_FEATURES": ["res4"],
    "BOUNDARY_THRESH": -1,
    "IOU_THRESHOLDS": [0.3, 0.7],
    "IOU_LABELS": [0, -1, 1],
    "BATCH_SIZE_PER_IMAGE": 256,
    "POSITIVE_FRACTION": 0.5,
    "BBOX_REG_LOSS_TYPE": "smooth_l1",
    "BBOX_REG_LOSS_WEIGHT": 1.0,
    "BBOX_REG_WEIGHTS": (1.0, 1.0, 1.0, 1.0),
    "SMOOTH_L1_BETA": 0.0,  # 0 makes it L1
    "LOSS_WEIGHT": 1.0,
    "PRE_NMS_TOPK_TRAIN": 12000,  # per feature level
    "PRE_NMS_TOPK_TEST": 6000,
    "POST_NMS_TOPK_TRAIN": 2000,  # over all levels
    "POST_NMS_TOPK_TEST": 1000,
    "NMS_THRESH": 0.7,
    "CONV_DIMS": [-1],
}

MODEL["ROI_HEADS"] = {
    "NAME": "Res5ROIHeads",
    "NUM_CLASSES": 80,  # thing classes, without background
    "IN_FEATURES": ["res4"],
    "IOU_THRESHOLDS": [0.5],
    "IOU_LABELS": [0, 1],
    "BATCH_SIZE_PER_IMAGE": 512,
    "POSITIVE_FRACTION": 0.25,
    "SCORE_THRESH_TEST": 0.05,
    "NMS_THRESH_TEST": 0.5,
    "PROPOSAL_APPEND_GT": True,
}

MODEL["ROI_BOX_HEAD"] = {
    "NAME": "",
    "BBOX_REG_LOSS_TYPE": "smooth_l1",
    "BBOX_REG_LOSS_WEIGHT": 1.0,
    "BBOX_REG_WEIGHTS": (10.0, 10.0, 5.0, 5.0),
    "SMOOTH_L1_BETA": 0.0,
    "POOLER_RESOLUTION": 14,
    "POOLER_SAMPLING_RATIO": 0,
    "POOLER_TYPE": "ROIAlignV2",
    "NUM_FC": 0,
    "FC_DIM": 1024,
    "NUM_CONV": 0,
    "CONV_DIM": 256,
    "NORM": "",
    "CLS_AGNOSTIC_BBOX_REG": False,
    "TRAIN_ON_PRED_BOXES": False,
    "USE_FED_LOSS": False,
    "USE_SIGMOID_CE": False,
    "FED_LOSS_FREQ_WEIGHT_POWER": 0.5,
    "FED_LOSS_NUM_CLASSES": 50,
}

MODEL["ROI_MASK_HEAD"] = {
    "NAME": "MaskRCNNConvUpsampleHead",
    "POOLER_RESOLUTION": 14,
    "POOLER_SAMPLING_RATIO": 0,
    "POOLER_TYPE": "ROIAlignV2",
    "NUM_CONV": 0,
    "CONV_DIM": 256,
    "NORM": "",
    "CLS_AGNOSTIC_MASK": False,
}

MODEL["SEM_SEG_HEAD"] = {
    "NAME": "SemSegFPNHead",
    "IN_FEATURES": ["p2", "p3", "p4", "p5"],
    "IGNORE_VALUE": 255,
    "NUM_CLASSES": 54,
    "CONVS_DIM": 128,
    "COMMON_STRIDE": 4,
    "NORM": "GN",
    "LOSS_WEIGHT": 1.0,
}

MODEL["PANOPTIC_FPN"] = {
    "INSTANCE_LOSS_WEIGHT": 1.0,
    "COMBINE": {
        "ENABLED": True,
        "OVERLAP_THRESH": 0.5,
        "STUFF_AREA_LIMIT": 4096,
        "INSTANCES_CONFIDENCE_THRESH": 0.5,
    },
}

INPUT = {
    "MIN_SIZE_TRAIN": (800,),
    "MIN_SIZE_TRAIN_SAMPLING": "choice",
    "MAX_SIZE_TRAIN": 1333,
    "MIN_SIZE_TEST": 800,
    "MAX_SIZE_TEST": 1333,
    "RANDOM_FLIP": "horizontal",
    "CROP": {"ENABLED": False, "TYPE": "relative_range", "SIZE": [0.9, 0.9]},
    "FORMAT": "BGR",
    "MASK_FORMAT": "polygon",
}

DATASETS = {
    "TRAIN": (),
    "TEST": (),
    "PROPOSAL_FILES_TRAIN": (),
    "PROPOSAL_FILES_TEST": (),
    "PRECOMPUTED_PROPOSAL_TOPK_TRAIN": 2000,
    "PRECOMPUTED_PROPOSAL_TOPK_TEST": 1000,
}

DATALOADER = {
    "NUM_WORKERS": 4,
    "SAMPLER_TRAIN": "TrainingSampler",
    "ASPECT_RATIO_GROUPING": True,
    "REPEAT_THRESHOLD": 0.0,
    "REPEAT_SQRT": True,
    "FILTER_EMPTY_ANNOTATIONS": True,
}

SOLVER = {
    "LR_SCHEDULER_NAME": "WarmupMultiStepLR",
    "MAX_ITER": 40000,
    "BASE_LR": 0.001,
    "BASE_LR_END": 0.0,  # read by WarmupCosineLR
    "MOMENTUM": 0.9,
    "NESTEROV": False,
    "WEIGHT_DECAY": 0.0001,
    "WEIGHT_DECAY_NORM": 0.0,
    "WEIGHT_DECAY_BIAS": None,  # None follows WEIGHT_DECAY
    "BIAS_LR_FACTOR": 1.0,
    "GAMMA": 0.1,
    "STEPS": (30000,),
    "NUM_DECAYS": 3,
    "WARMUP_FACTOR": 1.0 / 1000,
    "WARMUP_ITERS": 1000,
    "WARMUP_METHOD": "linear",
    "RESCALE_INTERVAL": False,
    "CHECKPOINT_PERIOD": 5000,
    "IMS_PER_BATCH": 16,  # over all processes
    "REFERENCE_WORLD_SIZE": 0,
    "CLIP_GRADIENTS": {
        "ENABLED": False,
        "CLIP_TYPE": "value",
        "CLIP_VALUE": 1.0,
        "NORM_TYPE": 2.0,
    },
    "AMP": {"ENABLED": False},
}

TEST = {
    "EXPECTED_RESULTS": [],
    "EVAL_PERIOD": 0,
    "KEYPOINT_OKS_SIGMAS": [],
    "DETECTIONS_PER_IMAGE": 100,
    "AUG": {
        "ENABLED": False,
        "MIN_SIZES": (400, 500, 600, 700, 800, 900, 1000, 1100, 1200),
        "MAX_SIZE": 4000,
        "FLIP": True,
    },
    "PRECISE_BN": {"ENABLED": False, "NUM_ITER": 200},
}

DEFAULTS = CfgNode(
    {
        "VERSION": 2,
        "MODEL": MODEL,
        "INPUT": INPUT,
        "DATASETS": DATASETS,
        "DATALOADER": DATALOADER,
        "SOLVER": SOLVER,
        "TEST": TEST,
        "OUTPUT_DIR": "./output",
        "SEED": -1,
        "CUDNN_BENCHMARK": False,
        "FLOAT32_PRECISION": "",
        "VIS_PERIOD": 0,
        "GLOBAL": {"HACK": 1.0},
    }
)
