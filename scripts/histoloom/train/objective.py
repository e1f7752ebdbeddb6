"""The training objective as text: a weighted sum of losses, such as "2*bce + 2*dice + iou"."""

import re

from histoloom.errors import InputError

TERM = re.compile(r"\s*(?:(?P<weight>\d+(?:\.\d+)?)\s*\*\s*)?(?P<name>[a-z_][a-z0-9_]*)\s*")


def loss_terms(text: str) -> list[tuple[float, str]]:
    """Split an objective into (weight, loss name) terms; a missing weight is 1.

    >>> loss_terms("2*bce + 0.5 * dice + iou")
    [(2.0, 'bce'), (0.5, 'dice'), (1.0, 'iou')]
    """
    matches = [TERM.fullmatch(part) for part in text.split("+")]
    if None in matches:
        raise InputError(f'loss "{text}" is not a sum of losses; expected for example "2*bce + dice"; see train.loss')
    return [(float(match["weight"] or 1), match["name"]) for match in matches]
