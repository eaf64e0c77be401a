"""``benchmark.py data`` on small frames: what it times is the mapper, family by family."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def data(repository: Path):
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(repository / "tools")
        import benchmarks.data

        yield benchmarks.data


@pytest.fixture(scope="module")
def record(data, tmp_path_factory: pytest.TempPathFactory) -> dict:
    video = list(data.draw_video(3, 6, 72, 128))
    return data.write_clip_record(tmp_path_factory.mktemp("video"), video, seed=3)


@pytest.mark.parametrize("number", range(4))
def test_every_family_is_measured(data, record: dict, number: int):
    """Also that the data are sound: the mapper refuses ids that are not in the table."""
    options = data.resolve_options(data.FAMILIES[number].options, 72)
    found = data.measure_mapper(record, options, clips=1, repeat=1, seed=0)
    assert found["ratio"] == pytest.approx(
        found["clips_per_second"] / found["decode_clips_per_second"]
    )
    printed = data._format([{"name": "a row", **found}])
    assert f"{found['ratio']:.2f}" in printed


def test_shares_of_the_height_become_pixels(data):
    options = {"CROP.SIZE": ["0.5", 100], "CROP.TYPE": "absolute", "MIN_SIZE_TRAIN": ("2", "3")}
    assert data.resolve_options(options, 72) == [
        "INPUT.CROP.SIZE",
        [36, 100],
        "INPUT.CROP.TYPE",
        "absolute",
        "INPUT.MIN_SIZE_TRAIN",
        (144, 216),
    ]
