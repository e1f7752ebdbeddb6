"""The training objective as text: a weighted sum of losses, such as "2*bce + 2*dice + focal(gamma=3)"."""

import ast
import re
from dataclasses import dataclass, field
from typing import Any

from histoloom.errors import InputError

TERM = re.compile(
    r"\s*(?:(?P<weight>\d+(?:\.\d+)?)\s*\*\s*)?(?P<name>[a-z_][a-z0-9_]*)\s*(?:\((?P<options>[^()]*)\))?\s*"
)


@dataclass(frozen=True)
class Term:
    """One loss of the sum: how much it counts, its file in losses/, and the options that it is given."""

    weight: float
    name: str
    options: dict[str, Any] = field(default_factory=dict)


def loss_terms(text: str) -> list[Term]:
    """Split an objective into its terms; a missing weight is 1.

    >>> [(term.weight, term.name, term.options) for term in loss_terms("2*bce + 0.5 * dice + focal(gamma=3)")]
    [(2.0, 'bce', {}), (0.5, 'dice', {}), (1.0, 'focal', {'gamma': 3})]
    """
    matches = [TERM.fullmatch(part) for part in text.split("+")]
    if None in matches:
        raise _unreadable(text)
    return [
        Term(float(match["weight"] or 1), match["name"], _options(match["options"] or "", text)) for match in matches
    ]


def _options(inside: str, text: str) -> dict[str, Any]:
    try:
        call = ast.parse(f"f({inside})", mode="eval").body
        if call.args or any(keyword.arg is None for keyword in call.keywords):
            raise _unreadable(text)
        return {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    except (SyntaxError, ValueError) as error:
        raise _unreadable(text) from error


def _unreadable(text: str) -> InputError:
    return InputError(
        f'loss "{text}" is not a sum of losses; expected for example "2*bce + focal(gamma=3)"; see train.loss'
    )
