"""The values that tuning seeks, by their dotted names: what may be chosen, what the config has, and both laid together.

Standard library only: the Snakefile lays the chosen values over those of the config at every start.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from histoloom.train.loss_terms import TERM, loss_terms

PARTS = ("train", "augment")
OPTIONS = ("optimiser_options", "schedule_options")  # values that are mappings: one of their keys may be sought
LOSS = "train.loss."  # followed by the name of a term: its weight


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; whole ones where all that is stated is whole.

    log: even on a logarithmic scale. step: distance of neighbours; None: any number, or any whole one.
    """

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = None

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are meant.

        >>> Range(1, 8).is_whole, Range(1, 8.0).is_whole
        (True, False)
        """
        return all(isinstance(each, int) for each in (self.low, self.high, self.step) if each is not None)


Choices = tuple[bool | int | float | str, ...]


def read_space(space: Mapping[str, Any]) -> dict[str, Range | Choices]:
    """A space as the config has it, sorted by name, so that the order of its lines decides nothing.

    >>> read_space({"train.batch_size": [4, 8], "augment.scale": {"low": 0.0, "high": 0.5}})
    {'augment.scale': Range(low=0.0, high=0.5, log=False, step=None), 'train.batch_size': (4, 8)}
    """
    return {name: tuple(each) if isinstance(each, list) else Range(**each) for name, each in sorted(space.items())}


def own_values(values: Mapping[str, Mapping[str, Any]], space: Mapping[str, Any]) -> dict[str, Any]:
    """What the config has for each name of the space; an option that it leaves to its optimiser has none.

    `values` are those of the sections train and augment, by section.

    >>> own_values({"train": {"loss": "2*bce + dice"}}, {"train.loss.dice": [1, 2]})
    {'train.loss.dice': 1.0}
    """
    found = {name: _own(values, name) for name in sorted(space)}
    return {name: value for name, value in found.items() if value is not None}


def overlaid(values: Mapping[str, Mapping[str, Any]], chosen: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The sections with the chosen values in place of their own; what is equal stays as it is written.

    >>> overlaid({"train": {"loss": "bce + dice(squared=True)"}, "augment": {}}, {"train.loss.dice": 0.5})
    {'train': {'loss': 'bce + 0.5*dice(squared=True)'}, 'augment': {}}
    """
    result = {part: dict(section) for part, section in values.items()}
    weights = {}
    for name, value in sorted(chosen.items()):
        part, key, *inner = name.split(".", 2)
        if name.startswith(LOSS):
            weights[inner[0]] = value
        elif inner:
            result[part][key] = {**result[part].get(key, {}), inner[0]: value}
        else:
            result[part][key] = value
    if weights:
        result["train"]["loss"] = weighted(result["train"]["loss"], weights)
    return result


def weighted(loss: str, weights: Mapping[str, int | float]) -> str:
    """An objective with other weights of some of its terms, which stay in their order and keep their options.

    >>> weighted("2*bce + focal(gamma=3)", {"bce": 2.0, "focal": 1e-05})
    '2*bce + 0.00001*focal(gamma=3)'
    """
    changed = {term.name for term in loss_terms(loss) if weights.get(term.name, term.weight) != term.weight}
    return " + ".join(_weighted(part.strip(), weights, changed) for part in loss.split("+")) if changed else loss


def _weighted(part: str, weights: Mapping[str, int | float], changed: set[str]) -> str:
    name = TERM.fullmatch(part)["name"]
    if name not in changed:
        return part
    weight = format(Decimal(repr(weights[name])), "f")  # the text of an objective knows no exponents
    return f"{weight}*{part[part.index('*') + 1 :].strip() if _has_weight(part) else part}"


def _has_weight(part: str) -> bool:
    return TERM.fullmatch(part)["weight"] is not None


def _own(values: Mapping[str, Mapping[str, Any]], name: str) -> Any:
    part, key, *inner = name.split(".", 2)
    if name.startswith(LOSS):
        return next((term.weight for term in loss_terms(values[part][key]) if term.name == inner[0]), None)
    return values[part][key].get(inner[0]) if inner else values[part][key]
