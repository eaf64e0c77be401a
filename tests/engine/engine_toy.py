"""A data set, a meta-architecture and a config so small that a whole training takes a second.

The model draws from all three generators that training may use, so that a resume which forgets one
of them shows. As a program, ``engine_toy.py DATA_ROOT OPTIONS...`` is tools/train_net.py with the
toys registered, for tests that need several processes or a process that dies.
"""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from vps.config import load_config
from vps.d2.data import MetadataCatalog
from vps.d2.modeling import META_ARCH_REGISTRY
from vps.data import register_panoptic_video
from vps.io import read_image, write_json, write_panoptic_png
from vps.structures import Category, PanopticFrame, Segment

CATEGORIES = [
    Category("ball", True, (220, 20, 60), 3),
    Category("floor", False, (90, 90, 90), 5),
    Category("wall", False, (0, 130, 180), 8),
]
NAME = "engine_toy"
HEIGHT, WIDTH = 32, 48

CONFIG = """
MODEL:
  META_ARCHITECTURE: EngineToy
  DEVICE: cpu
DATASETS:
  TRAIN: ("engine_toy",)
  TEST: ("engine_toy",)
DATALOADER:
  NUM_WORKERS: 0
INPUT:
  MIN_SIZE_TRAIN: (32,)
  MIN_SIZE_TEST: 32
SOLVER:
  OPTIMIZER: ADAMW
  BASE_LR: 0.01
  IMS_PER_BATCH: 2
  MAX_ITER: 6
  WARMUP_ITERS: 3
  CHECKPOINT_PERIOD: 2
TEST:
  VPQ_WINDOWS: (1, 2)
  EVAL_PERIOD: 0
SEED: 7
"""


@META_ARCH_REGISTRY.register()
class EngineToy(nn.Module):
    """Classifies pixels; all pixels of a thing class are one thing."""

    def __init__(self, cfg) -> None:
        super().__init__()
        self.categories = MetadataCatalog.get(cfg.DATASETS.TRAIN[0]).categories
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Conv2d(4, len(self.categories), 1)
        # As a running statistic: each process has its own in training, and it is used in inference.
        self.register_buffer("running", torch.zeros(()))
        self.to(cfg.MODEL.DEVICE)

    def forward(self, batch):
        if not self.training:
            return [{"frames": self._segment(record)} for record in batch]
        self.running = 0.5 * self.running + torch.rand(())
        drawn = random.random() + float(np.random.rand())
        loss = sum(self._loss(sample) for sample in batch) / len(batch)
        return {
            "loss_class": loss * (1 + drawn),
            "loss_size": 1e-3 * self.head.weight.square().sum(),
        }

    def _loss(self, sample):
        target = torch.full(sample["ids"].shape, -1)
        for segment_id, segment in sample["segments"].items():
            target[sample["ids"] == segment_id] = segment.category
        features = F.dropout(self.backbone(sample["images"].float() / 255 - 0.5), 0.3)
        return F.cross_entropy(self.head(features), target, ignore_index=-1)

    def _segment(self, record):
        for frame_id, path in zip(record["image_ids"], record["file_names"]):
            image = torch.from_numpy(read_image(path)).permute(2, 0, 1)[None]
            scores = self.head(self.backbone(image.float() / 255 - 0.5))[0]
            scores[0] += self.running - 1
            classes = scores.argmax(0).numpy()
            things = np.array([category.isthing for category in self.categories])
            ids = classes + 1 + things[classes] * len(self.categories)
            segments = {
                int(segment_id): Segment(int(category), bool(things[category]))
                for segment_id, category in zip(ids.flat, classes.flat)
            }
            yield PanopticFrame(frame_id, ids.astype(np.int32), segments)


def make_data(root: Path) -> Path:
    """Five videos of 2 to 6 frames: a ball rolls over a floor before a wall."""
    generator = np.random.default_rng(0)
    videos, annotations = [], []
    for number, length in enumerate((4, 2, 6, 3, 5)):
        video_id = f"v{number}"
        images, tables = [], []
        for frame in range(length):
            ids = np.full((HEIGHT, WIDTH), 2, np.int32)
            ids[:16] = 3
            ids[10:20, 4 * frame + number : 4 * frame + number + 10] = 4
            colors = np.array([[0] * 3, [0] * 3, [90, 90, 90], [0, 130, 180], [220, 20, 60]])
            picture = colors[ids] + generator.integers(0, 30, (HEIGHT, WIDTH, 3))
            name = f"{frame:03d}.png"
            for kind in ("images", "panoptic"):
                (root / kind / video_id).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture.astype(np.uint8)).save(root / "images" / video_id / name)
            write_panoptic_png(root / "panoptic" / video_id / name, ids)
            image_id = f"{video_id}_{frame}"
            images.append(
                {"id": image_id, "file_name": name, "height": HEIGHT, "width": WIDTH},
            )
            infos = [
                {"id": i, "category_id": c, "iscrowd": 0, "area": int((ids == i).sum())}
                for i, c in ((2, 5), (3, 8), (4, 3))
            ]
            tables.append({"image_id": image_id, "file_name": name, "segments_info": infos})
        videos.append({"video_id": video_id, "images": images})
        annotations.append({"video_id": video_id, "annotations": tables})
    write_json(root / "panoptic.json", {"videos": videos, "annotations": annotations})
    return root


def register_toy(root: Path) -> None:
    register_panoptic_video(
        NAME,
        image_root=root / "images",
        panoptic_root=root / "panoptic",
        panoptic_json=root / "panoptic.json",
        categories=CATEGORIES,
    )


def toy_config(folder: Path, *opts):
    """The config above with ``OUTPUT_DIR`` = ``folder`` and ``opts`` = key, value, ..."""
    return load_config(
        write_config(folder), ["OUTPUT_DIR", str(folder), *(str(value) for value in opts)]
    )


def write_config(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "toy.yaml"
    path.write_text(CONFIG)
    return path


def load_train_net():
    """tools/train_net.py as a module."""
    path = Path(__file__).resolve().parents[2] / "tools" / "train_net.py"
    spec = importlib.util.spec_from_file_location("train_net", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a spawned process finds functions by module name
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    torch.set_num_threads(1)
    register_toy(Path(sys.argv[1]))
    train_net = load_train_net()
    train_net.exit_on_input_error(train_net.main, sys.argv[2:])
