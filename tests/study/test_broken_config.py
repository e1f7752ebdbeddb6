"""The check tells of whatever may stand in a config, and never ends in a traceback itself."""

from pathlib import Path

import pytest
import yaml

BASE = Path(__file__).parents[2] / "config" / "config.yaml"
BREAST = "datasets: {demo_breast: {reader: brecahad, root: ., "
SECTIONS = list(yaml.safe_load(BASE.read_text()))
WRONG = ("null", "[1, {a: 2}]", "-5", "text", "{1: 2}", "{a: {b: null}}", "2020-01-01")


@pytest.mark.parametrize("value", WRONG)
def test_whatever_stands_in_a_sections_place_is_told_and_never_a_traceback(study, value):
    for section in SECTIONS:
        assert study(f"{section}: {value}\n"), section
    assert study("".join(f"{section}: {value}\n" for section in SECTIONS))


@pytest.mark.parametrize("value", WRONG)
def test_whatever_stands_in_a_values_place_is_told_and_never_a_traceback(study, value):
    config = yaml.safe_load(BASE.read_text())
    for section in SECTIONS[:1] + SECTIONS[4:]:
        assert study(f"{section}: {{" + ", ".join(f"{key}: {value}" for key in config[section]) + "}\n"), section
    for section in ("split", "tiles", "train", "predict", "evaluate"):
        assert study(f"{BREAST}{section}: {value}}}}}\n"), section
    for part in ("reader", "root", "options"):
        assert study(f"datasets: {{demo_breast: {{{part}: {value}}}}}\n"), part


@pytest.mark.parametrize("value", [-5, 0, 33])
def test_a_value_that_breaks_several_bounds_is_told(study, value):
    problems = study(f"tiles: {{tile_px: {value}}}\n")
    assert problems
    assert all(line.startswith("study.yaml:1: tiles.tile_px: ") for line in problems)
