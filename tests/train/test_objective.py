"""The objective as text."""

import pytest

from histoloom.errors import InputError
from histoloom.train.objective import loss_terms


def test_a_weight_stands_before_its_loss_or_is_one():
    assert loss_terms("2*bce + 2 * dice+iou") == [(2.0, "bce"), (2.0, "dice"), (1.0, "iou")]


@pytest.mark.parametrize("text", ["", "2*", "bce dice", "bce - dice", "2**bce", "__import__('os')"])
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(InputError, match="not a sum of losses; expected for example"):
        loss_terms(text)
