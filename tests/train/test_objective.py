"""A loss says by its parameters what it looks at, and is given that."""

import numpy as np
import pytest
import torch

from histoloom.targets import Outputs, Target
from histoloom.train import objective as module
from histoloom.train.objective import objective, weighted_losses
from tests.losses.loss_case import target_of

torch.set_num_threads(1)
OUTPUTS = Outputs(("background", "nucleus"), has_maps=True)


def mean(values: torch.Tensor) -> torch.Tensor:
    return values.mean((1, 2, 3))


def through_another_function(logits, target: Target, distances, *, factor: float = 1.0):
    """Names no attribute `distances`: it only hands them on."""
    return factor * mean(distances)


def of_something_else(logits, target: Target, *, distances: float = 2.0):
    """Its option and a local thing are called so, which asks for nothing."""
    thing = np.rec.array([(distances,)], names="distances")
    return float(thing.distances[0]) * mean(target.truth)


@pytest.fixture
def losses(monkeypatch):
    """The two functions above in place of bce and dice."""
    own = {"bce": through_another_function, "dice": of_something_else}
    monkeypatch.setattr(module, "load", lambda _, name: own[name])


def test_distances_are_made_for_a_loss_with_that_parameter_and_for_no_other():
    wanted = {name: weighted_losses(name)[0].wants_distances for name in ("bce", "dice", "hv", "boundary")}
    assert wanted == {"bce": False, "dice": False, "hv": False, "boundary": True}


def test_a_parameter_asks_for_distances_and_neither_an_option_nor_a_word_in_the_code(losses):
    given, other = weighted_losses("bce + dice")
    assert given.wants_distances
    assert not other.wants_distances


def test_the_distances_of_the_target_are_given(losses):
    target = target_of([[[0, 1, 1, 0]]])
    loss, pixels = objective(torch.zeros(1, 4, 1, 4), target, weighted_losses("3*bce(factor=2) + dice"), OUTPUTS)
    # Distances 1, 0, 0, 1 to class 1, and 0, 1, 1, 0 to the background; a truth is 1 at half of the values.
    assert pixels == 4
    assert loss.item() == pytest.approx(4 * (3 * 2 * 4 / 8 + 2.0 * 0.5))
