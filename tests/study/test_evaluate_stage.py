"""What the tables of a dataset say in each row, so that no score is read without it."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from histoloom.study.stages.evaluate import LEAKS, TUNED_ONCE, Evaluate
from histoloom.study.stages.report import Report

DEMO = yaml.safe_load((Path(__file__).parents[2] / "config" / "config.yaml").read_text())
MADE = "on images made by a program"


def laid(values):
    """The default config with these sections laid upon it."""
    return {**DEMO, **{name: {**DEMO[name], **given} for name, given in values.items()}}


def after(flag, values):
    """The words that the tables of demo_breast are told after a flag; none where it is not given."""
    words = Evaluate(laid(values)).summarise_flags(SimpleNamespace(dataset="demo_breast"))
    rest = words[words.index(flag) + 1 :] if flag in words else []
    return rest[: next((place for place, word in enumerate(rest) if word.startswith("--")), len(rest))]


@pytest.mark.parametrize(("values", "expected"), [({}, [MADE]), ({"split": {"scheme": "images"}}, [MADE, LEAKS])])
def test_every_row_says_what_its_score_hangs_on(values, expected):
    assert after("--remark", values) == expected


@pytest.mark.parametrize(
    ("values", "models"),
    [
        ({"tune": {"trials": 5, "folds": "first"}}, ["unet_small", "unet_narrow"]),
        ({"tune": {"trials": 5, "folds": "each"}}, []),
        ({"tune": {"trials": 0, "folds": "first"}}, []),
        ({"tune": {"trials": 5, "folds": "first"}, "split": {"scheme": "proportions"}}, []),
        ({"architectures": {"unet_small": {"network": "unet_small", "tune": {"trials": 3, "folds": "first"}}}},
         ["unet_small"]),
    ],
)  # fmt: skip
def test_models_tuned_on_others_test_images_say_so_in_their_rows_and_on_the_front_page(values, models):
    assert after("--model-remark", values) == [f"{name}={TUNED_ONCE!r}" for name in sorted(models)]
    words = Report(laid(values)).front_page_flags(None)
    assert [word for word in words if word.startswith("demo_breast/")] == [f"demo_breast/{name}" for name in models]
