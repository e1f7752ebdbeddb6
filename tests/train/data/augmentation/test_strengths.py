"""Strengths: their ranges, what is off, and what is on."""

import argparse
import math
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from histoloom.arguments import add_flags, settings_among
from histoloom.errors import InputError
from histoloom.train.data.augmentation.strengths import Augmentation
from tests.train.data.augmentation.pictures import COLOURS, FULL, NONE, WARP


def test_none_is_off_everywhere():
    assert NONE.active == {}
    assert not NONE.warps
    assert not NONE.shifts_colours


@pytest.mark.parametrize("name", [each.name for each in fields(Augmentation)])
def test_each_strength_is_active_by_itself_but_for_sizes(name):
    active = replace(NONE, **{name: type(getattr(NONE, name))(1) if name != "barrel" else 0.1}).active
    sizes = {"elastic_px": ["elastic_px", "elastic_grid_px"], "gaussian_px": ["gaussian_px", "gaussian_width_px"]}
    assert list(active) == ([] if name in ("elastic_grid_px", "gaussian_width_px") else sizes.get(name, [name]))


def test_only_warps_warp():
    assert WARP.warps
    assert not COLOURS.warps
    assert not replace(NONE, flip=True, right_angle=True).warps
    assert (
        FULL.shifts_colours
        and not replace(COLOURS, brightness=0.0, contrast=0.0, saturation=0.0, hue_deg=0.0).shifts_colours
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("barrel", 0.5, "0 to 0.3"),
        ("stain", 1.5, "0 to 1"),
        ("jpeg", 101, "0 to 100"),
        ("noise", -1.0, "0 to 40"),
        ("hue_deg", 200.0, "0 to 180"),
        ("shift_px", math.inf, "0 to 1000"),
        ("rotation_deg", math.nan, "0 to 180"),
        ("gaussian_width_px", 0.0, "1 to 1000"),
        ("elastic_grid_px", 0, "1 to 1000"),
    ],
)
def test_a_value_out_of_range_is_refused(name, value, expected):
    with pytest.raises(InputError, match=rf"augment.{name}: {value}; expected {expected}; "):
        replace(NONE, **{name: value})


def test_flags_give_the_same_strengths_again():
    parser = argparse.ArgumentParser()
    add_flags(parser, Augmentation)
    values = {each.name.replace("_", "-"): getattr(FULL, each.name) for each in fields(Augmentation)}
    words = [word for name, value in values.items() for word in (f"--{name}", str(value).lower())]
    assert settings_among(parser.parse_args(words), Augmentation) == FULL


def test_reading_strengths_loads_no_numpy():
    code = "import sys, histoloom.train.data.augmentation.strengths; sys.exit('numpy' in sys.modules)"
    scripts = Path(__file__).parents[4] / "scripts"
    assert subprocess.run([sys.executable, "-c", code], cwd=scripts, check=False).returncode == 0
