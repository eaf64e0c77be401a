"""``benchmark.py vos``: propagation of masks, against dense attention with groups in a loop.

The reference (``dense_propagation.py``) has the same weights and sees the same frame with the same
memory. Each side runs in a fresh process with one thread; times are processor time of one frame
(encoding, matching, labels, memory), the peak is that of the process's resident memory above what
it held before the network was built. Then arithmetic by part, as a share of what this machine's
matrix product reaches in the same process; the cost by number of objects; and memory over time.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tabulate import tabulate
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.dense_propagation import DenseEngine
from benchmarks.measure import cpu_seconds, in_fresh_process, machine_facts, memory
from vps.io import write_json
from vps.modeling.vos.network import VOSNetwork
from vps.modeling.vos.propagator import PropagationRules, Propagator, positions_of
from vps.modeling.vos.resolution import normalize, resize_image
from vps.modeling.vos.slots import layout_of
from vps.modeling.vos.variants import network_settings
from vps.modeling.vos.video_state import VideoState
from vps.structures import PanopticFrame, Segment

PARTS = ("encoder", "self_attention", "long_term", "short_term", "feed_forward", "identity_banks")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this subject."""
    parser.add_argument("--variant", default="AOT-L", help="of vps/modeling/vos/variants.py")
    parser.add_argument("--size", type=int, nargs=2, default=[577, 1041], metavar=("H", "W"))
    parser.add_argument("--objects", type=int, default=30)
    parser.add_argument("--stored", type=int, default=16, help="frames in long-term memory")
    parser.add_argument("--sweep", type=int, nargs="*", default=[1, 10, 20, 30, 60])
    parser.add_argument("--lengths", type=int, nargs="*", default=[100, 1000])
    parser.add_argument("--length-size", type=int, nargs=2, default=[97, 161], metavar=("H", "W"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, help="folder for vos.json")


def run(args: argparse.Namespace) -> str:
    """Measure; the tables to print."""
    size, facts = tuple(args.size), machine_facts()
    with tempfile.TemporaryDirectory() as folder:
        case = (args.variant, size, args.objects, args.stored, args.seed)
        ours = in_fresh_process(measure_ours, *case, Path(folder) / "ours.pt")
        dense = in_fresh_process(measure_dense, *case, Path(folder) / "dense.pt")
        found, expected = (torch.load(Path(folder) / f"{x}.pt") for x in ("ours", "dense"))
    difference = float((found - expected).abs().max() / expected.std())
    sweep = [
        in_fresh_process(measure_ours, args.variant, size, n, args.stored, args.seed, None)
        for n in args.sweep
    ]
    lengths = [
        in_fresh_process(measure_length, args.variant, tuple(args.length_size), n, args.seed)
        for n in args.lengths
    ]
    results = {
        "machine": facts,
        "case": {"variant": args.variant, "size": size, "objects": args.objects}
        | {"stored frames": args.stored},
        "ours": ours,
        "dense": dense,
        "difference of logits in standard deviations": difference,
        "by number of objects": dict(zip(args.sweep, sweep, strict=True)),
        "peak MB by length": dict(zip(args.lengths, lengths, strict=True)),
    }
    if args.output is not None:
        args.output.mkdir(parents=True, exist_ok=True)
        write_json(args.output / "vos.json", results, indent=1)
    return format_results(results)


def format_results(results: dict[str, Any]) -> str:
    """The tables of a run."""
    ours, dense, case = results["ours"], results["dense"], results["case"]
    title = ", ".join(f"{key} {value}" for key, value in case.items())
    compared = [
        [name, side["seconds"], side["peak MB"]]
        for name, side in (("ours", ours), ("dense", dense))
    ]
    compared.append(
        ["dense / ours", dense["seconds"] / ours["seconds"], dense["peak MB"] / ours["peak MB"]]
    )
    shares = [[part, flops] for part, flops in ours["GFLOP"].items()]
    total, rate = ours["GFLOP"]["all"], ours["matrix product GFLOP/s"]
    sweep = [
        [n, 1000 * row["seconds"], row["peak MB"]]
        for n, row in results["by number of objects"].items()
    ]
    tables = [
        title,
        tabulate(compared, ["", "s per frame", "peak MB"], floatfmt=".2f"),
        "logits differ by at most "
        f"{results['difference of logits in standard deviations']:.1e} standard deviations",
        tabulate(shares, ["part", "GFLOP per frame"], floatfmt=".1f"),
        f"{total / ours['seconds']:.1f} GFLOP/s, {total / ours['seconds'] / rate:.0%} of the "
        f"{rate:.1f} of a matrix product here",
        tabulate(sweep, ["objects", "ms per frame", "peak MB"], floatfmt=".0f"),
        tabulate(results["peak MB by length"].items(), ["frames", "peak MB"], floatfmt=".1f"),
        ", ".join(f"{key} {value}" for key, value in results["machine"].items()),
    ]
    return "\n\n".join(tables)


# --- what runs in a fresh process ----------------------------------------------------------------


def measure_ours(
    variant: str, size: tuple[int, int], objects: int, stored: int, seed: int, path: Path | None
) -> dict[str, Any]:
    """One frame of the engine, with memory filled; its logits go to ``path``."""
    before = memory()["now"]
    engine = build_engine(variant, seed)
    images = list(draw_frames(size, 2, seed))
    with torch.inference_mode():
        state = engine.begin()
        given = draw_masks(size, objects)
        first = engine.predict(state, images[0])
        engine.commit(state, first, torch.from_numpy(given.ids), given=given)
        fill(engine, state, stored)

        def frame():
            prediction = engine.predict(state, images[1])
            engine.commit(state, prediction, engine.ids(state, prediction))
            return prediction.propagated.logits

        short, index = state.previous, state.frame
        logits = frame()  # warms up
        if path is not None:
            torch.save(logits.clone(), path)
        state.previous, state.frame = short, index
        seconds = cpu_seconds(frame)
        peak = memory()["peak"] - before
        state.previous, state.frame = short, index
        flops = count_flops(engine, frame)
    matrix = torch.randn(2048, 2048)
    rate = 2 * 2048**3 / min(cpu_seconds(lambda: matrix @ matrix) for _ in range(5)) / 1e9
    return {"seconds": seconds, "peak MB": peak, "GFLOP": flops, "matrix product GFLOP/s": rate}


def measure_dense(
    variant: str, size: tuple[int, int], objects: int, stored: int, seed: int, path: Path
) -> dict[str, float]:
    """The same frame of the reference."""
    before = memory()["now"]
    engine = build_engine(variant, seed)
    images = list(draw_frames(size, 2, seed))
    with torch.inference_mode():
        # The engine's table says which object stands where; nothing else of it is used.
        state = engine.begin()
        given = draw_masks(size, objects)
        for object_id, segment in given.segments.items():
            state.table.add(object_id, segment.isthing)
        groups = state.table.groups
        layout = layout_of(groups, engine.network.channels, torch.device("cpu"))
        labels = positions_of(torch.from_numpy(given.ids), layout)
        dense = DenseEngine(engine.network)
        pixels = [normalize(resize_image(image, size)) for image in images]
        dense.begin(pixels[0], labels, layout)
        for row in range(len(groups)):
            entries = list(dense.long[row])
            for _ in range(stored - 1):
                dense.store(row, entries)
        short = dense.short
        dense.short = list(short)
        torch.save(dense.step(pixels[1], layout).clone(), path)
        dense.short = list(short)
        seconds = cpu_seconds(lambda: dense.step(pixels[1], layout))
    return {"seconds": seconds, "peak MB": memory()["peak"] - before}


def measure_length(variant: str, size: tuple[int, int], length: int, seed: int) -> float:
    """Peak memory in MB over a video of so many frames, of which 8 at most are stored."""
    before = memory()["now"]
    engine = build_engine(variant, seed, memory_gap=2, memory_cap=8)
    with torch.inference_mode():
        state, given = engine.begin(), draw_masks(size, 12)
        for index, image in enumerate(draw_frames(size, length, seed)):
            prediction = engine.predict(state, image)
            masks = given if index == 0 else None
            ids = torch.from_numpy(given.ids) if masks else engine.ids(state, prediction)
            engine.commit(state, prediction, ids, given=masks)
    return memory()["peak"] - before


def build_engine(variant: str, seed: int, **rules: int) -> Propagator:
    """An engine with random weights."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    settings = network_settings(variant)
    rules = {"memory_gap": 0, "merge": settings.merge, "max_long_side": 0, **rules}
    return Propagator(VOSNetwork(settings).eval(), PropagationRules(**rules))


def fill(engine: Propagator, state: VideoState, stored: int) -> None:
    """Store the reference frame again and again, as if other frames had been like it."""
    sizes = [tuple(size) for size in _sizes(engine, state)]
    for _ in range(stored - 1):
        state.frame += 1
        state.store(engine.network.keep(state.previous, sizes), reference=False)


def _sizes(engine: Propagator, state: VideoState) -> Iterator[tuple[int, int]]:
    """(h, w) of each layer's tokens."""
    network = engine.network
    extra = 1 if network.align_corners else 0
    for scale, layers in enumerate(network.settings.layers):
        stride = network.matching.strides[scale]
        for _ in range(layers):
            yield tuple((side - extra) // stride + extra for side in state.size)


def count_flops(engine: Propagator, frame) -> dict[str, float]:
    """GFLOP of one frame, by part; multiplications and additions count one each."""

    def attention(query, key, value, *args, **kwargs) -> int:
        return 4 * int(np.prod(query)) * key[-2]

    operation = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    with FlopCounterMode(display=False, custom_mapping={operation: attention}) as counter:
        frame()
    counts = counter.get_flop_counts()
    found = {"all": sum(counts["Global"].values()) / 1e9}
    for part in PARTS:
        rows = [v for name, v in counts.items() if _is_part(name, part)]
        found[part] = sum(sum(row.values()) for row in rows) / 1e9
    found["other"] = found["all"] - sum(found[part] for part in PARTS)
    return found


def _is_part(name: str, part: str) -> bool:
    """Whether a module of the counter's list is all of a part: modules called by the network are
    listed by class, what is inside of them by its path.
    """
    classes = {"encoder": "Encoder", "identity_banks": "IdentityBank"}
    return name.split(".")[-1] == part or name.endswith(classes.get(part, "-"))


def draw_frames(size: tuple[int, int], count: int, seed: int) -> Iterator[np.ndarray]:
    """Coloured noise, uint8 (H, W, 3)."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        yield generator.integers(0, 256, (*size, 3), dtype=np.uint8)


def draw_masks(size: tuple[int, int], objects: int) -> PanopticFrame:
    """Rectangles side by side; every other object is a thing."""
    ids = np.zeros(size, np.int32)
    columns = int(np.ceil(objects**0.5))
    height, width = size[0] // columns, size[1] // columns
    for index in range(objects):
        y, x = index // columns * height, index % columns * width
        ids[y + 2 : y + height - 2, x + 2 : x + width - 2] = index + 1
    segments = {index + 1: Segment(0, bool(index % 2)) for index in range(objects)}
    return PanopticFrame("masks", ids, segments)
