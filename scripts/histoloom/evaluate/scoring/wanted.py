"""Which scores are taken: those asked for, or all that truth and predictions have the facts for."""

from collections.abc import Sequence

from histoloom import plugins
from histoloom.errors import InputError
from histoloom.evaluate.counting.facts import FACTS, NUCLEI, PROBABILITIES, SIZES
from histoloom.evaluate.scores import fact
from histoloom.evaluate.scoring.sides import Side


def wanted_metrics(asked: Sequence[str], truth: Side, predictions: Sequence[Side]) -> list[str]:
    """The metrics asked for; where none is, all that can be had of what truth and every prediction hold.

    Raises InputError for a metric that does not exist, and one asked for that cannot be had.
    """
    lacking = _lacking(truth, predictions)
    metrics = [*asked] or plugins.names("metrics")
    if asked and (wrong := [name for name in asked if FACTS[fact(name)].needs in lacking]):
        needs = FACTS[fact(wrong[0])].needs
        raise InputError(
            f"--metric: '{wrong[0]}' needs {needs}, which {lacking[needs]} lacks; expected a format that tells them; "
            "leave it out, or give --truth-format or --prediction-format"
        )
    return [name for name in metrics if FACTS[fact(name)].needs not in lacking]


def facts_of(metrics: Sequence[str]) -> list[str]:
    """The facts that the metrics are derived from; with any of nuclei also those by size."""
    facts = list(dict.fromkeys(fact(name) for name in metrics))
    has_nuclei = any(FACTS[name].needs == NUCLEI for name in facts)
    return list(dict.fromkeys([*facts, *([SIZES] if has_nuclei else [])]))


def _lacking(truth: Side, predictions: Sequence[Side]) -> dict[str, str]:
    """What is not to be had, and whose path is the first to lack it."""
    found = {}
    if without := [side for side in (truth, *predictions) if not side.has_nuclei]:
        found[NUCLEI] = str(without[0].path)
    if without := [side for side in predictions if not side.has_probabilities]:
        found[PROBABILITIES] = str(without[0].path)
    return found
