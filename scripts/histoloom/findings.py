"""What a stage found wrong or worth knowing, as one line of a table that the report shows."""

from collections.abc import Iterable
from dataclasses import dataclass

FINDING_COLUMNS = ("severity", "kind", "subject", "message")
SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """One line of a findings table: an error stops the workflow, a warning is shown, an info is there to be read.

    `kind` is one word for sorting (near_duplicate), `subject` an image, a class or the dataset, `message` a sentence
    with the cure in it.
    """

    severity: str
    kind: str
    subject: str
    message: str


def listed(values: Iterable[object], most: int = 5) -> str:
    """Values for a message, no more than `most` of them.

    >>> listed([3, 1, 2], most=2)
    '3, 1, ...'
    """
    words = [str(value) for value in values]
    return ", ".join(words[:most] + ["..."] * (len(words) > most))
