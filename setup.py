"""Package `vps`. See README.md for the two commands that set everything up."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "vps" / "__init__.py").read_text()).group(1)

setup(
    name="vps",
    version=VERSION,
    description="Video panoptic segmentation and panoptic video object segmentation on Detectron2",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["vps", "vps.*"]),
    package_data={"vps": ["py.typed", "metrics/data/*.json"]},
    install_requires=[
        # torchvision's operators need the torch that they were built for: constraints.txt pins a
        # pair that was tested, vps/torch_pair.py explains a wrong one.
        "torch>=2.6",
        "torchvision>=0.21",
        "fvcore>=0.1.5,<0.1.6",  # CfgNode, Registry, Checkpointer: the classes Detectron2 shares
        "iopath>=0.1.7,<0.1.11",  # PathManager, as Detectron2
        "numpy>=1.24",
        "pillow>=10",
        "av>=14",  # decodes and encodes video; carries FFmpeg in its wheels
        "tqdm",
        "tabulate",
        "termcolor",
        "pyyaml",
    ],
    extras_require={
        "vis": ["matplotlib"],  # training curves
        "tensorboard": ["tensorboard"],
        # evaluation of predictions on disk: compiled counting, a PNG reader without pixels
        "fast": ["numba", "deflate>=0.8"],
        "dev": ["pytest", "pytest-xdist", "hypothesis", "ruff"],
    },
    classifiers=[
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Image Recognition",
    ],
)
