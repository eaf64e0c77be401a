"""Where the files of an official layout are: the JSON and the folder of PNGs of either side.

VIPSeg            panoptic_gt_VIPSeg_val.json, panomasksRGB/<video>/<frame>.png
                  pred.json, pan_pred/<video>/<frame>.png
Cityscapes-VPS    panoptic_gt_val_city_vps.json, panoptic_video/<frame>.png
                  pred.json, pan_pred/<image id>.png
COCO panoptic     panoptic_val2017.json, panoptic_val2017/<image>.png, the same as prediction
our own results   panoptic.json, panoptic/<video>/<frame>.png
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from vps.structures import InputError

# Names of a JSON in a folder, and of the folder of PNGs beside it, in the order of preference.
_PREDICTION_FORMS = (
    ("pred.json", "pan_pred"),
    ("panoptic.json", "panoptic"),
    ("predictions.json", "predictions"),
)
_OWN_FORM = ("panoptic.json", "panoptic")


class PanopticFiles(NamedTuple):
    """A JSON and the folder of its PNGs. ``own`` says that this project's writer made them, which
    names every frame, so that the order of the JSON carries no meaning.
    """

    json_path: str
    png_folder: str
    own: bool


def find_ground_truth(
    folder: str | os.PathLike, json_path: str | os.PathLike | None = None
) -> PanopticFiles:
    """The ground truth: a folder of PNGs and a JSON, or a folder of our own layout that holds both.

    Raises:
        InputError: the folder or the JSON is missing.
    """
    folder = existing_folder(folder, "ground truth")
    name, pngs = _OWN_FORM
    if json_path is None:
        if not (folder / name).is_file():
            raise InputError(
                f"expected the JSON of the ground truth, got none: {folder} holds no {name}; name "
                "the file with --gt-json"
            )
        json_path = folder / name
    own = Path(json_path).name == name and (folder / pngs).is_dir()
    return PanopticFiles(os.fspath(json_path), os.fspath(folder / pngs if own else folder), own)


def find_predictions(
    folder: str | os.PathLike, json_path: str | os.PathLike | None = None
) -> PanopticFiles:
    """The predictions: a folder that holds a JSON and PNGs in one of the known forms.

    Args:
        folder: holds both, or only the PNGs where ``json_path`` is given.
        json_path: the JSON, where it lies elsewhere or has another name.

    Raises:
        InputError: the folder or the JSON is missing.
    """
    folder = existing_folder(folder, "predictions")
    if json_path is None:
        found = [form for form in _PREDICTION_FORMS if (folder / form[0]).is_file()]
        if not found:
            names = ", ".join(name for name, _ in _PREDICTION_FORMS)
            raise InputError(
                f"expected predictions with one of {names} in {folder}, got none of them; name the "
                "file with --pred-json"
            )
        name, pngs = found[0]
        json_path = folder / name
    else:
        forms = [pngs for name, pngs in _PREDICTION_FORMS if name == Path(json_path).name]
        pngs = forms[0] if forms else ""
    own = (Path(json_path).name, pngs) == _OWN_FORM
    pictures = folder / pngs if pngs and (folder / pngs).is_dir() else folder
    return PanopticFiles(os.fspath(json_path), os.fspath(pictures), own)


def existing_folder(folder: str | os.PathLike, what: str) -> Path:
    """The path of a folder of ``what``; InputError where there is none."""
    folder = Path(folder)
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing"
        raise InputError(f"expected the folder of the {what} in {folder}, got {found}")
    return folder


class PngFolder:
    """The PNG names below a folder, listed once per subfolder.

    Attributes:
        root: the folder.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._names: dict[str, set[str]] = {}

    def names(self, subfolder: str = "") -> set[str]:
        """The PNGs in a subfolder ("" for the folder itself); empty where it does not exist."""
        if subfolder not in self._names:
            try:
                with os.scandir(os.path.join(self.root, subfolder)) as entries:
                    found = {entry.name for entry in entries if entry.name.endswith(".png")}
            except OSError:
                found = set()
            self._names[subfolder] = found
        return self._names[subfolder]

    def forget(self, subfolder: str) -> None:
        """Drop a listing that is not needed again."""
        self._names.pop(subfolder, None)

    def subfolders(self) -> set[str]:
        """The folders directly below."""
        with os.scandir(self.root) as entries:
            return {entry.name for entry in entries if entry.is_dir()}

    def has(self, name: str) -> bool:
        """Whether ``[subfolder/]name.png`` is there."""
        subfolder, name = os.path.split(name)
        return name in self.names(subfolder)

    def path(self, name: str) -> str:
        """The path of ``[subfolder/]name.png``."""
        return os.path.join(self.root, name)
