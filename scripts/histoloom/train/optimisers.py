"""The optimiser that the config names: adam, adamw, sgd, or any class by its import path."""

import importlib
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch.optim import Optimizer

from histoloom.errors import InputError
from histoloom.plugins import suggestion

BY_NAME: Mapping[str, type[Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}
FROM_TRAIN = {"lr": "learning_rate", "weight_decay": "weight_decay"}  # parameters that are settings of their own
KERNELS = ("fused", "foreach", "differentiable")  # options that choose torch's implementation


def build_optimiser(
    parameters: Iterable[torch.nn.Parameter],
    name: str,
    learning_rate: float,
    weight_decay: float,
    options: Mapping[str, Any],
) -> Optimizer:
    """Build the optimiser `name` over `parameters`, which already are on their device.

    `name` is adam, adamw, sgd, or an import path such as torch.optim.RMSprop. `options` are its own parameters; lists
    become tuples, as torch wants them. The three by name run fused, on CPUs and on CUDA, unless the options choose:
    all tensors in one pass, equal to torch's default up to rounding, the same bytes for any number of threads. On a CPU
    a step of Adam over the 31 million weights of unet takes a seventh of the default's time.
    Raises InputError for an unknown name or option, and for values that it refuses.
    """
    kind, parameters = _kind(name), list(parameters)
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    _check_options(kind, name, values)
    values |= {"lr": learning_rate, **_decay(kind, name, weight_decay)}
    if kind in BY_NAME.values() and not any(kernel in values for kernel in KERNELS):
        values["fused"] = _can_be_fused(parameters)
    try:
        return kind(parameters, **values)
    except (TypeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"train.optimiser: {name} with {', '.join(f'{key}={value}' for key, value in values.items())}\n"
            f"was refused ({reason}); expected values that it takes; change train.optimiser_options"
        ) from error


def _kind(name: str) -> type[Optimizer]:
    kind = BY_NAME[name] if name in BY_NAME else _imported(name)
    closure = inspect.signature(kind.step).parameters.get("closure")
    if closure and closure.default is inspect.Parameter.empty:
        raise InputError(
            f"train.optimiser: {name} computes the loss several times a step; expected one that takes gradients;\n"
            "choose another, such as adam"
        )
    return kind


def _imported(path: str) -> type[Optimizer]:
    module, _, name = path.rpartition(".")
    if not module or not all(part.isidentifier() for part in path.split(".")):
        raise InputError(
            f"train.optimiser: {path}; expected adam, adamw, sgd or an import path such as torch.optim.RMSprop;\n"
            f"{suggestion(path, list(BY_NAME))}"
        )
    try:
        contents = vars(importlib.import_module(module))
    except ImportError as error:
        raise InputError(
            f"train.optimiser: {path} ({error}); expected a module that Python finds; install it or set PYTHONPATH"
        ) from error
    choices = [key for key, value in contents.items() if _is_optimiser(value)]
    if name not in choices:
        raise InputError(f"train.optimiser: {path}; expected a torch.optim.Optimizer; {suggestion(name, choices)}")
    return contents[name]


def _is_optimiser(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Optimizer) and value is not Optimizer


def _check_options(kind: type[Optimizer], name: str, options: Mapping[str, Any]) -> None:
    known, takes_any = _parameters(kind)
    if "lr" not in known and not takes_any:
        raise InputError(f"train.optimiser: {name} has no parameter lr; expected one, for the schedule; choose another")
    own = [key for key in known if key not in FROM_TRAIN]
    for option, value in options.items():
        if option in FROM_TRAIN:
            raise InputError(
                f"train.optimiser_options: {option}={value}; expected it as train.{FROM_TRAIN[option]}; move it there"
            )
        if option not in own and not takes_any:
            raise InputError(
                f"train.optimiser_options: {option}={value}; expected options of {name}; {suggestion(option, own)}"
            )


def _decay(kind: type[Optimizer], name: str, weight_decay: float) -> dict[str, float]:
    known, takes_any = _parameters(kind)
    if "weight_decay" in known or (takes_any and weight_decay):
        return {"weight_decay": weight_decay}
    if weight_decay:
        raise InputError(f"train.weight_decay: {weight_decay}; expected 0, since {name} has no such penalty; set it so")
    return {}


def _parameters(kind: type[Optimizer]) -> tuple[list[str], bool]:
    """Names of the class's parameters but the first, and whether it takes any other."""
    found = list(inspect.signature(kind).parameters.values())[1:]
    fixed = [each.name for each in found if each.kind is not inspect.Parameter.VAR_KEYWORD]
    return fixed, len(fixed) < len(found)


def _can_be_fused(parameters: list[torch.nn.Parameter]) -> bool:
    return all(each.device.type in ("cpu", "cuda") and each.is_floating_point() for each in parameters)
