"""Checks of section tune: names of values that training has, what it takes for them, options that Optuna has."""

from collections.abc import Iterator, Mapping
from typing import Any

from histoloom.errors import InputError
from histoloom.study.model_choices import train_problems
from histoloom.study.plugin_choices import Problem, likely
from histoloom.study.plugin_source import FITS, KINDS
from histoloom.study.schema_words import Validator, explained, schema
from histoloom.study.sections import owner, section
from histoloom.study.stages.train import RUN_KEYS
from histoloom.study.text import Key
from histoloom.train.loss_terms import loss_terms
from histoloom.tune.space import LOSS, OPTIONS, PARTS, overlaid

RANGE_KEYS = ("low", "high", "log", "step")
# What all trials of a study have to share: what they are scored by, and what they read.
SHARED = ("select_metric", "select_class", "probe_tiles", "standardise")
# Of Optuna's own options those that a config can state, with the kind of their value.
SAMPLERS = {
    "tpe": {
        "n_startup_trials": "int",
        "n_ei_candidates": "int",
        "multivariate": "bool",
        "group": "bool",
        "constant_liar": "bool",
    },
    "random": {},
    "qmc": {"qmc_type": "str", "scramble": "bool"},
    "gp": {"n_startup_trials": "int", "deterministic_objective": "bool"},
}
LAGGING = {"n_startup_trials": "int", "n_warmup_steps": "int", "interval_steps": "int", "n_min_trials": "int"}
PRUNERS = {
    "none": {},
    "median": LAGGING,
    "percentile": {"percentile": "float", **LAGGING},
    "hyperband": {"min_resource": "int", "max_resource": "int", "reduction_factor": "int", "bootstrap_count": "int"},
}


def tune_problems(config: Mapping[str, Any], dataset: str, architecture: str) -> Iterator[Problem]:
    """Problems of section tune as it is for one dataset and architecture."""
    values = section(config, "tune", dataset, architecture)
    sections = {part: section(config, part, dataset, architecture) for part in PARTS}

    def key(value: str) -> Key:
        return owner(config, "tune", value, dataset, architecture)

    space = values.get("space", {})
    if values.get("trials", 0) and not space:
        message = f"{values['trials']}, but tune.space is empty; expected values to seek; name some in space, or set 0"
        yield key("trials"), message
    for name, each in space.items():
        yield from _name_problems((*key("space"), name), name, each, sections, space)
    if values.get("epochs", 0) and "train.epochs" in space:
        message = "is sought, but tune.epochs sets it for all trials; expected one of both; set tune.epochs: 0"
        yield (*key("space"), "train.epochs"), message
    for kind, known in (("sampler", SAMPLERS), ("pruner", PRUNERS)):
        chosen, options = values.get(kind), values.get(f"{kind}_options", {})
        if chosen in known:
            yield from _option_problems(key(f"{kind}_options"), f"{kind} {chosen}", known[chosen], options)
    if values.get("pruner") == "percentile" and "percentile" not in values.get("pruner_options", {}):
        yield key("pruner_options"), "has no 'percentile'; expected the share that goes on, in per cent; add it"


def _option_problems(key: Key, of: str, known: Mapping[str, str], options: Mapping[str, Any]) -> Iterator[Problem]:
    for option, value in options.items():
        if option not in known:
            choices = likely(str(option), list(known)) if known else "it has none; remove it"
            yield (*key, option), f"unknown option of {of}; {choices}"
        elif not FITS[known[option]](value):
            yield (*key, option), f"{value!r}; expected {KINDS[known[option]]}; give one"


def _name_problems(
    key: Key, name: str, each: Any, sections: Mapping[str, Mapping[str, Any]], space: Mapping[str, Any]
) -> Iterator[Problem]:
    """Of one name: what it is, then what it may be, then whether training takes that; the first that is wrong."""
    for problems in (
        _unknown_name(name, sections, space),
        _form_problems(each),
        _schema_problems(name, each),
        _training_problems(name, each, sections),
    ):
        found = list(dict.fromkeys(problems))
        yield from (((*key, *place), message) for place, message in found)
        if found:
            return


def _unknown_name(name: str, sections: Mapping[str, Mapping[str, Any]], space: Mapping[str, Any]) -> Iterator[Problem]:
    part, _, value = name.partition(".")
    head, _, inner = value.partition(".")
    if part == "predict":
        yield (), "is no value of training; expected one of train or augment; post-processing has predict.tune"
    elif part == "train" and head in RUN_KEYS:
        yield (), "says how training runs, not what it gives; expected a value that a score depends on; remove it"
    elif part == "train" and head in SHARED:
        yield (), f"has to be the same in all trials; expected another value; set {name} itself"
    elif name.startswith(LOSS):
        yield from _term_problems(inner, sections, space)
    elif name not in _known() and not (part == "train" and head in OPTIONS and inner):
        close = likely(name, _known()).partition(" choices: ")[0]
        known = "expected train.<value> or augment.<value>; config/config.yaml lists them"
        yield (), f"is no value of training; {close if close.startswith('did') else known}"


def _known() -> list[str]:
    stated = {part: schema()["$defs"][part]["properties"] for part in PARTS}
    left_out = {f"train.{each}" for each in (*RUN_KEYS, *SHARED, *OPTIONS)}
    return [name for part in PARTS for each in stated[part] if (name := f"{part}.{each}") not in left_out]


def _term_problems(term: str, sections: Mapping[str, Mapping[str, Any]], space: Mapping[str, Any]) -> Iterator[Problem]:
    text = sections["train"].get("loss", "")
    try:
        terms = [each.name for each in loss_terms(text)]
    except InputError:
        return  # told of the loss
    if "train.loss" in space:
        yield (), "is the weight of a term, but train.loss is sought as a whole; expected one of both; remove one"
    elif term not in terms:
        yield (), f'is no term of train.loss "{text}"; {likely(term, terms)}'
    elif terms.count(term) > 1:
        yield (), f'stands {terms.count(term)} times in train.loss "{text}"; expected it once; leave one'


def _form_problems(each: Any) -> Iterator[Problem]:
    if isinstance(each, list):
        yield from _choice_problems(each)
    elif isinstance(each, Mapping):
        yield from _range_problems(each)
    else:
        message = f"{each!r}; expected a list of choices, or a range such as {{low: 0.1, high: 1.0}}; write one"
        yield (), message


def _choice_problems(choices: list[Any]) -> Iterator[Problem]:
    if len(choices) < 2 or len({repr(choice) for choice in choices}) < len(choices):
        yield (), f"{choices}; expected two choices or more, each once; mend the list"
    for place, choice in enumerate(choices):
        if not any(FITS[kind](choice) for kind in ("float", "str", "bool")):
            yield (place,), f"{choice!r}; expected a text, a finite number, true or false; name a list by a text"


def _range_problems(each: Mapping[str, Any]) -> Iterator[Problem]:
    unknown = [name for name in each if name not in RANGE_KEYS]
    yield from (((name,), f"unknown key; {likely(str(name), list(RANGE_KEYS))}") for name in unknown)
    low, high, log, step = (each.get(name) for name in RANGE_KEYS)
    wrong = [name for name in ("low", "high") if not FITS["float"](each.get(name))]
    yield from (((name,), f"{each.get(name)!r}; expected a finite number; give one") for name in wrong)
    if unknown or wrong:
        return
    if not low < high:
        yield ("low",), f"{low}; expected less than high ({high}); mend one of both"
    elif log not in (None, True, False):
        yield ("log",), f"{log!r}; expected true or false; write one"
    elif log and not (low > 0 and step is None):
        yield ("log",), f"true, with low {low} and step {step}; expected low above 0 and no step; mend them"
    elif step is not None and not (FITS["float"](step) and 0 < step <= high - low):
        yield ("step",), f"{step!r}; expected a number above 0, at most {high - low}; mend it"


def _schema_problems(name: str, each: Any) -> Iterator[Problem]:
    """Of ends, steps and choices that the schema does not let the value have; of a loss's weight, those below 0."""
    limits = {"type": "number", "minimum": 0} if name.startswith(LOSS) else _limits(name)
    for place, value in _candidates(each):
        for error in Validator({**limits, "$defs": schema()["$defs"]}).iter_errors(value):
            yield from (((place,), message) for _, message in explained(error))
    step = each.get("step") if isinstance(each, Mapping) else None
    if limits.get("type") == "integer" and isinstance(step, float):
        yield ("step",), f"{step}; expected a whole number; write {max(1, int(step))}"


def _limits(name: str) -> Mapping[str, Any]:
    part, _, value = name.partition(".")
    return schema()["$defs"][part]["properties"].get(value, {})


def _training_problems(name: str, each: Any, sections: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    """Of ends and choices with which training refuses its section."""
    head = name.split(".")[1]
    if not name.startswith("train.") or (head in OPTIONS and head not in sections["train"]):
        return
    before = {message for _, message in train_problems(sections["train"], _at)}
    for place, value in _candidates(each):
        try:
            tried = overlaid(sections, {name: value})["train"]
        except (InputError, KeyError):  # told of the section itself
            return
        yield from (((place,), message) for _, message in train_problems(tried, _at) if message not in before)


def _at(value: str) -> Key:
    return (value,)


def _candidates(each: Any) -> list[tuple[str | int, Any]]:
    """The ends of a range, or all choices, each with its place."""
    if isinstance(each, Mapping):
        return [(name, each[name]) for name in ("low", "high")]
    return list(enumerate(each))
