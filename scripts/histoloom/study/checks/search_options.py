"""Options of Optuna's samplers and pruners that a config can state, and what each may be.

Optuna refuses some of them only when it first draws or judges a trial, hours after the start, by an error of its own.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from histoloom.study.checks.plugins import Problem, likely
from histoloom.study.schema_words import Validator, explained
from histoloom.study.text import Key

FLAG = {"type": "boolean"}
FROM_ZERO = {"type": "integer", "minimum": 0}
FROM_ONE = {"type": "integer", "minimum": 1}
SAMPLERS: Mapping[str, Mapping[str, Any]] = {
    "tpe": {
        "n_startup_trials": FROM_ZERO,
        "n_ei_candidates": FROM_ONE,
        "multivariate": FLAG,
        "group": FLAG,
        "constant_liar": FLAG,
    },
    "random": {},
    "qmc": {"qmc_type": {"enum": ["sobol", "halton"]}, "scramble": FLAG},
    "gp": {"n_startup_trials": FROM_ZERO, "deterministic_objective": FLAG},
}
LAGGING = {
    "n_startup_trials": FROM_ZERO,
    "n_warmup_steps": FROM_ZERO,
    "interval_steps": FROM_ONE,
    "n_min_trials": FROM_ONE,
}
PRUNERS: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "median": LAGGING,
    "percentile": {"percentile": {"type": "number", "minimum": 0, "maximum": 100}, **LAGGING},
    # Its largest resource is the epochs of a trial.
    "hyperband": {
        "min_resource": FROM_ONE,
        "reduction_factor": {"type": "integer", "minimum": 2},
        "bootstrap_count": FROM_ZERO,
    },
}


def search_problems(kind: str, chosen: str, key: Key, options: Mapping[str, Any]) -> Iterator[Problem]:
    """Problems of the options at `key` of the sampler or pruner (`kind`) that was chosen."""
    known = (SAMPLERS if kind == "sampler" else PRUNERS).get(chosen)
    if known is None:
        return  # told by the schema
    for option, value in options.items():
        if option not in known:
            choices = likely(str(option), list(known)) if known else "it has none; remove it"
            yield (*key, option), f"unknown option of {kind} {chosen}; {choices}"
        else:
            found = (each for error in Validator(known[option]).iter_errors(value) for each in explained(error))
            yield from (((*key, option, *place), message) for place, message in found)
    if chosen == "percentile" and "percentile" not in options:
        yield key, "has no 'percentile'; expected the share that goes on, in per cent; add it"
    if options.get("group") is True and options.get("multivariate") is False:
        yield (*key, "group"), "true, with multivariate: false; expected both true; mend one of them"
