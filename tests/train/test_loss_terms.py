"""The objective as text."""

import pytest

from histoloom.errors import InputError
from histoloom.train.loss_terms import Term, loss_terms


def test_a_weight_stands_before_its_loss_or_is_one():
    assert loss_terms("2*bce + 2 * dice+iou") == [Term(2.0, "bce"), Term(2.0, "dice"), Term(1.0, "iou")]


def test_options_stand_in_brackets_after_the_name():
    options = {"alpha": 0.3, "beta": 0.7}
    assert loss_terms("2*tversky(alpha=0.3, beta=0.7) + bce()") == [Term(2.0, "tversky", options), Term(1.0, "bce")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2*",
        "bce dice",
        "bce - dice",
        "2**bce",
        "__import__('os')",
        "focal(3)",
        "focal(gamma=)",
        "focal(**{})",
        "focal(gamma=open)",
        "focal(a=b",
    ],
)
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(InputError, match="not a sum of losses; expected for example"):
        loss_terms(text)
