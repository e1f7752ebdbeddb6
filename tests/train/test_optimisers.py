"""Optimisers by name and by import path: the steps of torch's own, and messages for what cannot be."""

import copy
import math

import pytest
import torch

from histoloom.errors import InputError
from histoloom.train.optimisers import build_optimiser

NAMES = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
LAB = """
from torch.optim import SGD, Optimizer
class Lion(SGD):
    pass
class Unsteered(Optimizer):
    def __init__(self, params, strength=1.0):
        super().__init__(params, {})
class Anything(SGD):
    def __init__(self, params, **options):
        super().__init__(params, **options)
factory = SGD
"""


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def lab(tmp_path, monkeypatch):
    (tmp_path / "lab_of_ours.py").write_text(LAB)
    (tmp_path / "lab_in_need.py").write_text("import a_module_nobody_has")
    monkeypatch.syspath_prepend(tmp_path)


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, bias=False), torch.nn.BatchNorm2d(8), torch.nn.ReLU(), torch.nn.Conv2d(8, 2, 1)
    )


def train(network, optimiser, steps, first=0):
    for step in range(first, first + steps):
        images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(step))
        optimiser.zero_grad(set_to_none=True)
        (network(images) ** 2).mean().backward()
        optimiser.step()
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def build(network, name, rate=0.01, decay=0.0, **options):
    return build_optimiser(network.parameters(), name, rate, decay, options)


CASES = [
    ("adam", 0.0, {}),
    ("adam", 0.1, {"betas": [0.8, 0.99], "amsgrad": True}),
    ("adamw", 0.1, {"eps": 1e-6}),
    ("sgd", 0.0, {}),
    ("sgd", 0.1, {"momentum": 0.9, "nesterov": True}),
    ("torch.optim.RMSprop", 0.1, {"momentum": 0.5}),
    ("torch.optim.NAdam", 0.0, {"betas": [0.9, 0.99]}),
    ("torch.optim.adam.Adam", 0.0, {}),
]


@pytest.mark.parametrize(("name", "decay", "options"), CASES)
def test_its_steps_are_those_of_torch(name, decay, options):
    ours, theirs = network(), network()
    kind = NAMES.get(name) or getattr(torch.optim, name.rpartition(".")[2])
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    expected = train(theirs, kind(theirs.parameters(), lr=0.01, weight_decay=decay, **values), 10)
    found = train(ours, build(ours, name, decay=decay, **options), 10)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    assert not torch.equal(found, train(network(), build(network(), name), 0))


@pytest.mark.parametrize(("name", "decay", "options"), CASES)
def test_a_restored_state_goes_on_with_the_same_bytes(name, decay, options, tmp_path):
    whole, halved = network(), network()
    expected = train(whole, build(whole, name, decay=decay, **options), 6)
    optimiser = build(halved, name, decay=decay, **options)
    train(halved, optimiser, 3)
    torch.save(optimiser.state_dict(), tmp_path / "state.pt")
    restored = copy.deepcopy(halved)
    again = build(restored, name, decay=decay, **options)
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(train(restored, again, 3, first=3), expected)


@pytest.mark.parametrize("name", NAMES)
def test_those_by_name_run_fused_unless_the_options_say_how(name):
    assert build(network(), name).defaults["fused"] is True
    assert build(network(), name, fused=False).defaults["fused"] is False
    assert build(network(), name, foreach=True).defaults["fused"] is None


@pytest.mark.parametrize("name", NAMES)
def test_the_number_of_threads_changes_no_byte(name):
    def after(threads):
        torch.set_num_threads(threads)
        weights = torch.nn.Parameter(torch.linspace(-1, 1, 100_003))
        optimiser = build_optimiser([weights], name, 0.01, 0.1, {})
        for _ in range(2):
            weights.grad = weights.detach() ** 3 - 0.1
            optimiser.step()
        return weights.detach()

    assert torch.equal(after(1), after(2))


@pytest.mark.parametrize("name", NAMES)
def test_under_a_gradient_scaler_steps_are_the_same_and_those_of_infinite_gradients_left_out(name):
    weights, scaled = (torch.nn.Parameter(torch.linspace(-1, 1, 50)) for _ in range(2))
    optimiser, other = (build_optimiser([each], name, 0.01, 0.1, {}) for each in (weights, scaled))
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for factor in (1.0, math.inf, 2.0):
        other.zero_grad()
        scaler.scale((scaled * scaled.detach() ** 2 * factor).sum()).backward()
        scaler.step(other)
        scaler.update()
        if factor < math.inf:
            weights.grad = weights.detach() ** 2 * factor
            optimiser.step()
    torch.testing.assert_close(scaled, weights, rtol=1e-6, atol=1e-7)


def test_a_frozen_parameter_stays():
    frozen = network()
    before = frozen[0].weight.detach().clone()
    frozen[0].requires_grad_(False)
    train(frozen, build(frozen, "adamw", decay=0.1), 3)
    assert torch.equal(frozen[0].weight, before)


def test_an_optimiser_of_ones_own_needs_no_change_here(lab):
    optimiser = build(network(), "lab_of_ours.Lion", momentum=0.5)
    assert type(optimiser).__name__ == "Lion"
    assert optimiser.defaults["momentum"] == 0.5
    assert build(network(), "lab_of_ours.Anything", momentum=0.25, decay=0.5).defaults["weight_decay"] == 0.5


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("adamm", r"train\.optimiser: adamm; expected adam, adamw, sgd or an import path .*\ndid you mean 'adam"),
        ("torch.optim.", "expected adam, adamw, sgd or an import path"),
        ("os.system('x')", "expected adam, adamw, sgd or an import path"),
        ("torch.optim.RMSProp", r"torch\.optim\.RMSProp; expected a torch\.optim\.Optimizer; did you mean 'RMSprop'\?"),
        ("torch.optim.Optimizer", r"expected a torch\.optim\.Optimizer; .*Choices: "),
        ("torch.nn.Linear", r"torch\.nn\.Linear; expected a torch\.optim\.Optimizer"),
        ("no_such_lab.Lion", r"no_such_lab\.Lion \(No module named 'no_such_lab'\); .* set PYTHONPATH"),
        ("lab_in_need.Lion", r"\(No module named 'a_module_nobody_has'\); .* install it"),
        ("torch.optim.LBFGS", r"LBFGS computes the loss several times a step; expected .*\nchoose another"),
        ("lab_of_ours.Unsteered", r"Unsteered has no parameter lr; expected one, for the schedule; choose another"),
    ],
)
def test_what_cannot_train_is_refused(lab, name, message):
    with pytest.raises(InputError, match=message):
        build(network(), name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": 0.9}, r"train\.optimiser_options: beta=0\.9; expected options of adam; did you mean 'betas'\?"),
        ({"lr": 0.1}, r"lr=0\.1; expected it as train\.learning_rate; move it there"),
        ({"weight_decay": 0.1}, r"weight_decay=0\.1; expected it as train\.weight_decay; move it there"),
        ({"betas": [2.0, 0.9]}, r"betas=\(2\.0, 0\.9\).*\nwas refused \(Invalid beta.*; expected values that it takes"),
        ({"betas": 0.9}, r"betas=0\.9.*\nwas refused \(.*float.*\)"),
        ({"fused": True, "foreach": True}, r"was refused \(.*cannot be `True` together"),
    ],
)
def test_options_that_it_does_not_take_are_refused(options, message):
    with pytest.raises(InputError, match=message) as caught:
        build(network(), "adam", **options)
    assert len(str(caught.value).splitlines()) <= 4


def test_a_penalty_for_an_optimiser_without_one_is_refused():
    assert build(network(), "torch.optim.Rprop").defaults["lr"] == 0.01
    with pytest.raises(InputError, match=r"train\.weight_decay: 0\.1; expected 0, since torch\.optim\.Rprop has no"):
        build(network(), "torch.optim.Rprop", decay=0.1)
