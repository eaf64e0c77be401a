#!/usr/bin/env python
"""Convert other people's weights into a checkpoint that MODEL.WEIGHTS can name.

    python tools/convert_weights.py resnet50-11ad3fa6.pth -o weights/resnet50.pth
    python tools/convert_weights.py model_final_cafdb1.pkl -o weights/panoptic_fpn.pth --for VPSNet
    python tools/convert_weights.py AOT-T.pth -o weights/aot_t.pth --for AOT-T
    python tools/convert_weights.py AOST.pth -o weights/aost_2.pth --for AOST --depth 2

INPUT is a ResNet of torchvision (.pth), a ResNet backbone or panoptic FPN of Detectron2's model zoo
(.pkl, .pth), or an AOT, AOST or PAOT of its authors (.pth). It is read without running code that it
may contain. (ImageNet weights for the encoders of AOT, AOST and PAOT need no conversion: name
torchvision's file in MODEL.VOS.ENCODER_WEIGHTS.)
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from vps.structures import InputError


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("input", metavar="INPUT", type=Path, help="file of weights")
    parser.add_argument(
        "-o", "--output", metavar="FILE", type=Path, required=True, help="checkpoint to write: .pth"
    )
    parser.add_argument(
        "--for",
        dest="target",
        metavar="MODEL",
        default="PanopticFPN",
        help="keep only the parts that this model has: PanopticFPN (default), VPSNet, backbone; or "
        "the variant of the authors' AOT, AOST or PAOT, such as AOT-T or R50-PAOT-PanoID",
    )
    parser.add_argument(
        "--format",
        choices=["auto", "detectron2", "aot"],
        default="auto",
        help="whose names INPUT has; detectron2 covers torchvision (default: by the names)",
    )
    parser.add_argument(
        "--depth", type=int, metavar="N", help="of an AOST, keep the first N layers only"
    )
    parser.add_argument(
        "--drop-unmapped", action="store_true", help="leave out keys that are not understood"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Returns:
        0, or 2 after bad input (one line on stderr, nothing written).
    """
    arguments = build_parser().parse_args(argv)
    try:
        convert(arguments)
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def convert(arguments: argparse.Namespace) -> None:
    """Read, rename, write, and say what was done."""
    source, output = arguments.input, arguments.output
    if output.suffix != ".pth":
        raise InputError(f"expected an output file that ends in .pth, got {output}")
    if output.resolve() == source.resolve():
        raise InputError(f"the output {output} is the input; give another name")
    from vps.io.checkpoint import write_checkpoint

    weights, author = read_weights(source)
    digest = sha256(source)
    try:
        converted = rename(weights, author, arguments)
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    write_checkpoint(
        output,
        {
            "model": converted.tensors,
            "__author__": "vps tools/convert_weights.py",
            "metadata": {
                "source": source.name,
                "source_sha256": digest,
                "source_kind": converted.source,
                "settings": converted.settings,
            },
        },
    )
    print(f"read     {source} ({converted.source})")
    print(f"sha256   {digest}")
    print(f"wrote    {output} ({len(converted.tensors)} tensors)")
    print(f"sha256   {sha256(output)}")
    for reason, count in Counter(converted.left_out.values()).items():
        names = [key for key, why in converted.left_out.items() if why == reason]
        print(f"left out {count} ({reason}): {', '.join(names[:3])}{' ...' * (count > 3)}")
    if converted.settings:
        pairs = " ".join(f'{key} "{value}"' for key, value in converted.settings.items())
        print(f"use with MODEL.WEIGHTS {output} {pairs}")
    else:
        print("use with the pixel format and STRIDE_IN_1X1 of the config that it was trained with")


def rename(weights: dict, author: str, arguments: argparse.Namespace):
    """The ``Conversion`` of weights of whatever kind."""
    from vps.modeling.vos.official_names import convert_official, is_official
    from vps.modeling.vos.variants import VARIANTS, network_settings
    from vps.modeling.weights import TARGETS, convert_weights

    target, layers = arguments.target, arguments.depth
    official = arguments.format == "aot" or (arguments.format == "auto" and is_official(weights))
    known = VARIANTS if official else TARGETS
    if target not in known:
        raise InputError(f"these weights need --for one of {', '.join(known)}; got {target}")
    if not official:
        if layers is not None:
            raise InputError("--depth is for an AOST of its authors, which these weights are not")
        return convert_weights(
            weights, target=target, author=author, drop_unmapped=arguments.drop_unmapped
        )
    changes = {} if layers is None else {"layers": (layers,)}
    converted = convert_official(weights, network_settings(target, changes))
    converted.settings["MODEL.VOS.VARIANT"] = target
    if layers is not None:
        converted.settings["MODEL.VOS.NETWORK.LAYERS"] = [layers]
    return converted


def read_weights(path: Path) -> tuple[dict, str]:
    """Tensors by name, and the file's ``__author__`` or ""."""
    import numpy as np
    import torch

    from vps.io.checkpoint import read_checkpoint
    from vps.io.zoo_pickle import read_zoo_pickle

    if path.suffix == ".pkl":
        content = read_zoo_pickle(path)
        # A copy in the machine's byte order, since torch takes no other and no read-only memory.
        model = {
            key: torch.from_numpy(np.array(value, dtype=value.dtype.newbyteorder("=")))
            for key, value in content["model"].items()
        }
    else:
        content = read_checkpoint(path)
        model = content["model"]
    return model, str(content.get("__author__", ""))


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
