"""Results on disk, written while a video runs and read back lazily, in the forms that the official
programs of the data sets take.

============================== =================================================================
``panoptic``                   our own: ``panoptic.json``, ``panoptic/<video>/<frame>.png``
``vipseg``                     ``pred.json``, ``pan_pred/<video>/<frame>.png``
``cityscapes_vps``, ``viper``  ``pred.json``, ``pan_pred/<frame>.png``
``viposeg``, ``davis``,        ``<video>/<frame>.png``, palette PNGs of object numbers
``youtube_vos``
============================== =================================================================

``python tools/evaluate.py`` scores all of them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from vps.io.object_result_writer import ObjectResultWriter
from vps.io.panoptic_result_writer import PanopticResultWriter
from vps.io.result_reader import PanopticResults, ResultVideo, read_results
from vps.io.result_writer import ResultWriter, VideoResultWriter
from vps.structures import Category, InputError, VideoRecord

__all__ = [
    "RESULT_FORMS",
    "ObjectResultWriter",
    "PanopticResultWriter",
    "PanopticResults",
    "ResultVideo",
    "ResultWriter",
    "VideoResultWriter",
    "frames_to_submit",
    "open_result_writer",
    "read_results",
]

_PANOPTIC = {name: name for name in ("panoptic", "vipseg", "cityscapes_vps")}
_PANOPTIC["viper"] = "cityscapes_vps"
_OBJECTS = ("viposeg", "davis", "youtube_vos")
RESULT_FORMS = (*_PANOPTIC, *_OBJECTS)


def open_result_writer(
    form: str, folder: str | os.PathLike, categories: Sequence[Category]
) -> ResultWriter:
    """The writer of results in a form.

    Args:
        form: one of ``RESULT_FORMS``.
        folder: where to write.
        categories: of the data set, contiguous; forms without classes do not look at them.

    Raises:
        InputError: there is no such form.
    """
    if form in _OBJECTS:
        return ObjectResultWriter(folder)
    if form not in _PANOPTIC:
        raise InputError(f"expected results in a form of {', '.join(RESULT_FORMS)}, got {form!r}")
    return PanopticResultWriter(folder, categories, form=_PANOPTIC[form])


def frames_to_submit(form: str, record: VideoRecord) -> list[str] | None:
    """The frames of a video that belong into results of a form; None: all.

    They are the record's ``output_frames``, where it has them. Else, since the official programs of
    panoptic data pair the n-th entry of the results with the n-th labelled frame, other frames must
    not be there; where no frame is labelled (test sets), all are meant.
    """
    if form == "panoptic":
        return None
    wanted = record.get("output_frames")
    if wanted is None and form not in _OBJECTS and any(record["labelled"]):
        wanted = record["labelled"]
    if wanted is None:
        return None
    return [name for name, is_wanted in zip(record["image_ids"], wanted) if is_wanted]
