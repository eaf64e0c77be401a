"""What each preparation does with sources that are bad, odd or already half prepared."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from layout_worlds import list_files, make_layout, read_manifest
from PIL import Image

from vps.data.prepare import Preparation, run_preparation
from vps.data.prepare.cityscapes_vps import cityscapes_vps_preparation
from vps.data.prepare.viper import viper_preparation
from vps.data.prepare.viposeg import viposeg_preparation
from vps.data.prepare.viposeg_from_vipseg import viposeg_from_vipseg_preparation
from vps.data.prepare.vipseg import vipseg_preparation
from vps.data.shapes_world.layouts.class_maps import VIPOSEG_UNSEEN, VIPSEG_CLASSES
from vps.io import read_panoptic_png, write_panoptic_png
from vps.io.index_png import write_index_png
from vps.structures import InputError

FRAMES = {"cityscapes_vps": 5, "viper": 2, "vipseg": 2, "viposeg": 2}
VIDEO = "0_Shapestrain"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One video per split of every layout, in the raw form. Copy before you change anything."""
    root = tmp_path_factory.mktemp("raw")
    return {
        layout: make_layout(root / layout, layout, frames=frames, videos=1, raw=True)
        for layout, frames in FRAMES.items()
    }


@pytest.fixture
def source(made: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a layout that a test may change."""

    def copy(layout: str) -> Path:
        return Path(shutil.copytree(made[layout], tmp_path / "source"))

    return copy


def prepare(layout: str, source: Path, out: Path) -> Preparation:
    return {
        "cityscapes_vps": lambda: cityscapes_vps_preparation(source),
        "viper": lambda: viper_preparation(source, out),
        "vipseg": lambda: vipseg_preparation(source, out, height=48),
        "viposeg": lambda: viposeg_preparation(source),
    }[layout]()


def change_json(path: Path, change: Callable[[dict], object]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def save_numbers(path: Path, size: tuple[int, int], mode: str = "I;16") -> None:
    Image.new(mode, size).save(path)


FAULTS = [
    # layout, what is done to it, what is said
    ("vipseg", lambda s: (s / "imgs").rename(s / "images"), "expected VIPSeg with the folder"),
    ("vipseg", lambda s: [p.unlink() for p in s.glob("*.txt")], "train, val, test with .txt"),
    ("vipseg", lambda s: (s / "val.txt").write_text("a\nb\na\n"), r"a stands twice in .*val\.txt"),
    (
        "vipseg",
        lambda s: (s / "val.txt").write_text("5_nowhere\n"),
        r"val\.txt lists 5_nowhere\) with the folder",
    ),
    (
        "vipseg",
        lambda s: (s / "imgs" / VIDEO / "00000001.jpg").unlink(),
        r"00000001\.png has no picture",
    ),
    ("vipseg", lambda s: shutil.rmtree(s / "panomasks" / VIDEO), "expected masks of the train"),
    (
        "vipseg",
        lambda s: save_numbers(s / "panomasks" / VIDEO / "00000001.png", (63, 48)),
        r"expected a mask of 48x64 as 00000001\.jpg has, got 48x63",
    ),
    (
        "vipseg",
        lambda s: save_numbers(s / "panomasks" / VIDEO / "00000001.png", (64, 48), "RGB"),
        "one channel of whole numbers, got mode RGB",
    ),
    (
        "vipseg",
        lambda s: (s / "imgs" / VIDEO / "00000001.jpg").write_bytes(b"nothing"),
        r"expected an image in .*00000001\.jpg",
    ),
    ("viper", lambda s: [shutil.rmtree(s / d) for d in ("train", "val")], "train/img or val/img"),
    (
        "viper",
        lambda s: (s / "val/inst/101/101_00002.png").unlink(),
        r"101_00002\.png does not exist",
    ),
    (
        "viper",
        lambda s: save_numbers(s / "val/cls/101/101_00002.png", (64, 47), "L"),
        "classes of 47x64 and instances of 48x64",
    ),
    (
        "cityscapes_vps",
        lambda s: [p.unlink() for p in s.glob("panoptic_im_*")],
        r"panoptic_im_train_city_vps\.json or panoptic_im_val_city_vps\.json, got neither",
    ),
    (
        "cityscapes_vps",
        lambda s: [shutil.rmtree(s / "val" / d) for d in ("panoptic_inst", "cls")],
        "expected the labels of 0005_0025_frankfurt_000000_000304",
    ),
    ("viposeg", lambda s: [shutil.rmtree(s / d) for d in ("train", "valid")], "train/ or valid/"),
    ("viposeg", lambda s: (s / "valid/obj_class.json").unlink(), r"obj_class\.json"),
    (
        "viposeg",
        lambda s: change_json(s / "train/obj_class.json", lambda c: c.clear()),
        f"expected video {VIDEO} in",
    ),
    (
        "viposeg",
        lambda s: change_json(s / "train/obj_class.json", lambda c: c[VIDEO].update({"1": 124})),
        r"a class in 0\.\.123, got 124 in .* at 0_Shapestrain\.1",
    ),
    (
        "viposeg",
        lambda s: change_json(s / "train/obj_class.json", lambda c: c[VIDEO].pop("1")),
        r"object 1 is painted in .*00000\.png but has no class",
    ),
    (
        "viposeg",
        lambda s: (s / "train/Annotations" / VIDEO / "00001.png").unlink(),
        "2 pictures and 1 masks in Annotations; one of both is missing for 00001",
    ),
    (
        "viposeg",
        lambda s: write_index_png(
            s / "train/Annotations" / VIDEO / "00001.png", np.zeros((48, 63), np.uint8)
        ),
        r"expected a mask of 48x64 as 00001\.jpg has, got 48x63",
    ),
]


@pytest.mark.parametrize(("layout", "damage", "message"), FAULTS)
def test_bad_sources(source, tmp_path: Path, layout: str, damage, message: str):
    root = source(layout)
    damage(root)
    with pytest.raises(InputError, match=message):
        run_preparation(prepare(layout, root, tmp_path / "out"))
    assert not list(tmp_path.rglob("manifest.json"))
    assert not [path for path in tmp_path.rglob("*") if ".tmp" in path.name]


def test_vipseg_at_720_rows(source, tmp_path: Path):
    """Heights become 720 and widths int(720 w / h); masks are sampled, pictures resized."""
    root = source("vipseg")
    for path in (root / "imgs" / VIDEO).iterdir():
        Image.open(path).crop((0, 0, 50, 33)).save(path)
    for path in (root / "panomasks" / VIDEO).iterdir():
        Image.open(path).crop((0, 0, 50, 33)).save(path)
    run_preparation(vipseg_preparation(root, tmp_path / "out"))
    image = Image.open(tmp_path / "out" / "images" / VIDEO / "00000000.jpg")
    assert image.size == (int(720 * 50 / 33), 720) == (1090, 720)
    raw = np.asarray(Image.open(root / "panomasks" / VIDEO / "00000000.png"))
    large = np.asarray(Image.open(tmp_path / "out" / "panomasks" / VIDEO / "00000000.png"))
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int) for new, old in ((720, 33), (1090, 50))
    )
    assert (large == raw[rows[:, None], columns]).mean() > 0.999  # but for ties of rounding
    assert set(np.unique(large)) == set(np.unique(raw))
    index = json.loads((tmp_path / "out" / "panoptic_gt_VIPSeg_train.json").read_text())
    image = index["videos"][0]["images"][0]
    assert image == {"id": "00000000", "file_name": "00000000.png", "width": 1090, "height": 720}
    for frame in index["annotations"][0]["annotations"]:
        ids = read_panoptic_png(tmp_path / "out" / "panomasksRGB" / VIDEO / frame["file_name"])
        for segment in frame["segments_info"]:
            assert segment["area"] == (ids == segment["id"]).sum()
            assert segment["iscrowd"] == 0


def test_oddities_of_vipseg_are_told(source, tmp_path: Path):
    root = source("vipseg")
    folder = root / "panomasks" / VIDEO
    for name in ("00000000", "00000001"):
        raw = np.array(Image.open(folder / f"{name}.png"))
        raw[:4, :4] = 255
        Image.fromarray(raw).save(folder / f"{name}.png")
    other = root / "panomasks" / "0_Shapesval__"
    (other / "00000001.png").unlink()
    run_preparation(vipseg_preparation(root, tmp_path / "out", height=48))
    manifest = read_manifest(tmp_path / "out")
    assert manifest["number_of_findings"] == 2
    first, second = manifest["findings"]
    assert "raw number 255, void elsewhere, which would be read as ceiling: void" in first
    assert first.endswith(f"panomasks/{VIDEO}/00000000.png and 1 more of this video")
    assert second.startswith("a frame without a mask, which is left out")
    assert not (tmp_path / "out" / "images" / "0_Shapesval__" / "00000001.jpg").exists()
    ids = read_panoptic_png(tmp_path / "out" / "panomasksRGB" / VIDEO / "00000001.png")
    assert (ids[:4, :4] == 0).all()


def test_cityscapes_without_panoptic_inst(source, tmp_path: Path):
    """The colour and instance masks say the same."""
    root = source("cityscapes_vps")
    run_preparation(cityscapes_vps_preparation(root))
    index = json.loads((root / "panoptic_gt_val_city_vps.json").read_text())
    masks = list_files(root / "val" / "panoptic_video")
    shutil.rmtree(root / "val" / "panoptic_inst")
    assert run_preparation(cityscapes_vps_preparation(root))["prepared_now"] == 1
    assert json.loads((root / "panoptic_gt_val_city_vps.json").read_text()) == index
    assert list_files(root / "val" / "panoptic_video") == masks


def test_panoptic_pngs_of_cityscapes_that_were_shipped_stay(source, tmp_path: Path):
    """Their ids are kept, whatever they are; classes come from panoptic_inst."""
    root = source("cityscapes_vps")
    run_preparation(cityscapes_vps_preparation(root))
    index = json.loads((root / "panoptic_gt_val_city_vps.json").read_text())
    frame = index["annotations"][0]
    path = root / "val" / "panoptic_video" / frame["file_name"]
    ids = read_panoptic_png(path)
    classes = {segment["id"] + 5 * 65536 + 77: segment for segment in frame["segments_info"]}
    shutil.rmtree(root / ".prepared")
    write_panoptic_png(path, np.where(ids > 0, ids + 5 * 65536 + 77, 0).astype(np.int32))
    shipped = path.read_bytes()
    for again in (1, 0):
        done = run_preparation(cityscapes_vps_preparation(root))["prepared_now"]
        assert done == 2 * again  # val and train
        assert path.read_bytes() == shipped
    (frame,) = json.loads((root / "panoptic_gt_val_city_vps.json").read_text())["annotations"]
    for segment in frame["segments_info"]:
        expected = classes.pop(segment["id"])
        assert segment["category_id"] == expected["category_id"]
        assert segment["area"] == expected["area"]
    assert not classes


def test_things_without_instance_in_cityscapes_are_void(source, tmp_path: Path):
    root = source("cityscapes_vps")
    (path,) = (root / "val" / "panoptic_inst").iterdir()
    values = np.array(Image.open(path))
    values[:5, :6] = 13
    Image.fromarray(values).save(path)
    manifest = run_preparation(cityscapes_vps_preparation(root))
    assert "number 13, a class of things without an instance: void" in manifest["findings"][0]
    ids = read_panoptic_png(root / "val" / "panoptic_video" / path.name)
    assert (ids[:5, :6] == 0).all()


def test_frames_of_viper_are_chosen(tmp_path: Path):
    root = make_layout(tmp_path / "viper", "viper", frames=5, raw=True)
    preparation = viper_preparation(
        root,
        tmp_path / "out",
        sequences={"val": ["102"]},
        first={"val": 3},
        stride={"train": 2},
    )
    run_preparation(preparation)
    names = {
        folder: sorted(path.stem for path in (tmp_path / "out" / folder / "img").iterdir())
        for folder in ("train", "val_day")
    }
    assert names["val_day"] == ["102_00001", "102_00002", "102_00003"]
    assert names["train"] == [f"{s}_{n:05d}" for s in ("001", "002") for n in (1, 3, 5)]
    index = json.loads((tmp_path / "out" / "viper_panoptic_train_video.json").read_text())
    assert [image["id"] for image in index["images"]] == names["train"]


def test_meta_json_of_viposeg(source, tmp_path: Path):
    """It is made for train, brought up to date, and the shipped one of valid is left alone."""
    root = source("viposeg")
    shipped = (root / "valid/meta.json").read_bytes()
    run_preparation(viposeg_preparation(root))
    objects = json.loads((root / "train/meta.json").read_text())["videos"][VIDEO]["objects"]
    number, entry = next(iter(objects.items()))
    assert entry["frames"][0] == "00000"
    for frame in ("00000", "00001"):
        path = root / "train/Annotations" / VIDEO / f"{frame}.png"
        labels = np.array(Image.open(path))
        assert (frame in entry["frames"]) == (int(number) in labels)
        write_index_png(path, np.where(labels == int(number), 0, labels))
    manifest = run_preparation(viposeg_preparation(root))
    objects = json.loads((root / "train/meta.json").read_text())["videos"][VIDEO]["objects"]
    assert number not in objects
    assert f"object {number} has a class and is in no frame" in manifest["findings"][0]
    assert (root / "valid/meta.json").read_bytes() == shipped


def test_references_of_viposeg_that_are_not_the_new_objects(source, tmp_path: Path):
    root = source("viposeg")
    (root / "valid/Annotations/0_Shapesval__/00000.png").unlink()
    manifest = run_preparation(viposeg_preparation(root))
    (finding,) = manifest["findings"]
    assert finding.startswith("the reference is not the objects that are new in the frame")


def test_files_that_others_made_are_not_replaced(source, tmp_path: Path):
    """A set that was prepared elsewhere, and VIPOSeg itself as the target of a conversion."""
    root = source("vipseg")
    out = tmp_path / "out"
    out.mkdir()
    (out / "panoptic_gt_VIPSeg_val.json").write_text("theirs")
    with pytest.raises(InputError, match=r"panoptic_gt_VIPSeg_val\.json to be absent or made by"):
        run_preparation(vipseg_preparation(root, out, height=48))
    assert list_files(out) == {"panoptic_gt_VIPSeg_val.json": b"theirs"}
    (out / "panoptic_gt_VIPSeg_val.json").unlink()
    for expected in (3, 0):
        done = run_preparation(vipseg_preparation(root, out, height=48))["prepared_now"]
        assert done == expected
    real = make_layout(tmp_path / "VIPOSeg", "viposeg", frames=2, videos=1)  # looked through before
    before = list_files(real)
    with pytest.raises(InputError, match=r"train/obj_class\.json to be absent or made by"):
        run_preparation(viposeg_from_vipseg_preparation(out, real))
    assert list_files(real) == before


def test_unseen_classes_may_stay_in_train(source, tmp_path: Path):
    run_preparation(vipseg_preparation(source("vipseg"), tmp_path / "out", height=48))
    counts = {}
    for keep in (False, True):
        root = tmp_path / f"keep{keep}"
        run_preparation(viposeg_from_vipseg_preparation(tmp_path / "out", root, keep_unseen=keep))
        classes = json.loads((root / "train/obj_class.json").read_text())[VIDEO]
        counts[keep] = set(classes.values())
        assert list(classes) == [str(number + 1) for number in range(len(classes))]
    assert counts[True] - counts[False] == {VIPSEG_CLASSES[own] for own in VIPOSEG_UNSEEN}
    with pytest.raises(InputError, match=r"was datasets/prepare_vipseg\.py run"):
        viposeg_from_vipseg_preparation(tmp_path / "nowhere", tmp_path / "x")
