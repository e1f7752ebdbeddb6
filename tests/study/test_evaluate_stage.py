"""What the tables of a dataset say in each row, so that no score is read without it."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from histoloom.study.stages.evaluate import LEAKS, TUNED_ELSEWHERE, Evaluate

DEMO = yaml.safe_load((Path(__file__).parents[2] / "config" / "config.yaml").read_text())
MADE = "on images made by a program"


def remarks_of(**values):
    """The words after --remark, of demo_breast in the default config with these sections laid upon it."""
    config = {**DEMO, **{name: {**DEMO[name], **given} for name, given in values.items()}}
    words = Evaluate(config).summarise_flags(SimpleNamespace(dataset="demo_breast"))
    after = words[words.index("--remark") + 1 :]
    return after[: next(place for place, word in enumerate(after) if word.startswith("--"))]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, [MADE]),
        ({"split": {"scheme": "images"}}, [MADE, LEAKS]),
        ({"tune": {"trials": 5, "folds": "first"}}, [MADE, TUNED_ELSEWHERE]),
        ({"tune": {"trials": 5, "folds": "each"}}, [MADE]),
        ({"tune": {"trials": 0, "folds": "first"}}, [MADE]),
        ({"tune": {"trials": 5, "folds": "first"}, "split": {"scheme": "proportions"}}, [MADE]),
    ],
)
def test_every_row_says_what_its_score_hangs_on(values, expected):
    assert remarks_of(**values) == expected


def test_one_tuned_architecture_is_enough_to_say_so():
    small = {**DEMO["architectures"]["unet_small"], "tune": {"trials": 3, "folds": "first"}}
    assert remarks_of(architectures={"unet_small": small}) == [MADE, TUNED_ELSEWHERE]
