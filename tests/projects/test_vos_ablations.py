"""The ablations: every command line is one that the program takes, and the table is right."""

from __future__ import annotations

import shlex

import pytest

from vps.config import load_config
from vps.modeling.vos.arguments import settings_of
from vps.structures import InputError


@pytest.fixture(scope="module")
def ablations(load_script):
    return load_script("projects/vos_ablations/run.py")


def test_every_command_is_a_valid_config(ablations, tmp_path, capsys):
    options = ["--output", str(tmp_path), "--seeds", "1", "2", "--dry-run", "--"]
    assert ablations.main([*options, "SOLVER.MAX_ITER", "3"]) == 0
    commands = [shlex.split(line) for line in capsys.readouterr().out.splitlines()]
    assert len(commands) == 2 * sum(len(rows) for rows in ablations.STUDIES.values())
    networks = set()
    for command in commands:
        place = command.index("--config-file")
        options = [word for word in command[place + 2 :] if not word.startswith("--")]
        cfg = load_config(command[place + 1], options)
        assert cfg.SOLVER.MAX_ITER == 3
        networks.add((settings_of(cfg), cfg.MODEL.VOS.INFERENCE.DEPTH))
    assert len(networks) == 10  # "generic" is trained in several studies


def test_a_run_that_evaluates_others_weights_names_them(ablations, tmp_path):
    variant = ablations.STUDIES["depth"][2]
    command, result = ablations.command_of(variant, 5, tmp_path, [])
    assert "--eval-only" in command
    assert str(tmp_path / "depth_3_5" / "model_final.pth") in command
    assert result.is_relative_to(tmp_path / "depth_1_5")


def test_a_run_that_starts_from_others_weights_trains(ablations, tmp_path):
    variant = next(row for row in ablations.STUDIES["identities"] if row.name == "pano_on")
    command, result = ablations.command_of(variant, 5, tmp_path, [])
    assert "--resume" in command and "--eval-only" not in command
    place = command.index("MODEL.WEIGHTS")
    assert command[place + 1] == str(tmp_path / "generic_5" / "model_final.pth")
    assert result.is_relative_to(tmp_path / "pano_on_5")


def test_table(ablations):
    rows = [
        (ablations.Variant("one", "G 1"), [{"G": 10.0, "Gth": 1.0}, {"G": 12.0}]),
        (ablations.Variant("two", "G 2"), [{"G": 10.04}]),
    ]
    lines = ablations.format_table("study", rows).splitlines()
    assert lines[-2:] == [
        "| one | 11.0 ± 1.4 | 1.0 | - | - | G 1 |",
        "| two | 10.0 | - | - | - | G 2 |",
    ]


def test_a_run_without_scores_is_an_error(ablations, tmp_path):
    with pytest.raises(InputError, match="expected scores"):
        ablations.read_scores(tmp_path / "none.json")
