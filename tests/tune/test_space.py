"""Values by their dotted names: laid over those of the config, and as they are where nothing differs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoloom.train.loss_terms import loss_terms
from histoloom.tune.space import overlaid, own_values, read_space, weighted

VALUES = {
    "architecture": {"network": "unet", "option": {"width": 8}},
    "train": {
        "learning_rate": 1.0e-3,
        "batch_size": 8,
        "loss": "2*bce + focal(gamma=3.0, weight=0.5) + dice",
        "optimiser_options": {"betas": [0.9, 0.99]},
        "schedule_options": {},
    },
    "augment": {"flip": True, "scale": 0.1},
}
SPACE = {
    "train.loss.focal": {"low": 0.5, "high": 2.0},
    "train.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "train.optimiser_options.eps": [1e-8, 1e-6],
    "train.schedule_options.warm_up_steps": [0, 100],
    "augment.flip": [True, False],
}


def test_chosen_values_stand_in_place_of_the_configs_and_nothing_else_changes():
    chosen = {
        "train.learning_rate": 0.005,
        "train.loss.focal": 0.25,
        "train.loss.bce": 1.5,
        "train.optimiser_options.eps": 1e-6,
        "train.schedule_options.warm_up_steps": 100,
        "augment.flip": False,
    }
    before = repr(VALUES)
    found = overlaid(VALUES, chosen)
    assert found == {
        "architecture": VALUES["architecture"],
        "train": {
            "learning_rate": 0.005,
            "batch_size": 8,
            "loss": "1.5*bce + 0.25*focal(gamma=3.0, weight=0.5) + dice",
            "optimiser_options": {"betas": [0.9, 0.99], "eps": 1e-6},
            "schedule_options": {"warm_up_steps": 100},
        },
        "augment": {"flip": False, "scale": 0.1},
    }
    assert repr(VALUES) == before


def test_the_configs_own_values_change_nothing():
    own = own_values(VALUES, SPACE)
    assert own == {"augment.flip": True, "train.learning_rate": 1.0e-3, "train.loss.focal": 1.0}
    assert overlaid(VALUES, own) == VALUES


@given(st.floats(1e-12, 1e6), st.floats(0, 100))
def test_a_weight_in_the_text_is_read_back_as_the_same_number(dice, bce):
    found = {term.name: (term.weight, term.options) for term in loss_terms(
        weighted("0.5 * bce+dice(squared=True)", {"dice": dice, "bce": bce})
    )}  # fmt: skip
    assert found == {"bce": (bce, {}), "dice": (dice, {"squared": True})}


@pytest.mark.parametrize(
    ("stated", "is_whole"),
    [
        ({"low": 1, "high": 8}, True),
        ({"low": 1, "high": 8, "step": 2}, True),
        ({"low": 1, "high": 8.0}, False),
        ({"low": 0.1, "high": 1}, False),
    ],
)
def test_ranges_of_whole_numbers_are_those_that_are_stated_so(stated, is_whole):
    assert read_space({"train.patience": stated})["train.patience"].is_whole is is_whole


def test_the_order_of_the_lines_of_a_space_says_nothing():
    assert list(read_space(SPACE)) == list(read_space(dict(reversed(SPACE.items()))))
