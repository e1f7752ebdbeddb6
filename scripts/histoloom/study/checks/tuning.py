"""Checks of section tune: names of values that training has, and what it takes for them, each and together."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from histoloom.errors import InputError
from histoloom.study.checks.models import maps_problems, train_problems
from histoloom.study.checks.plugins import Problem, likely
from histoloom.study.checks.search_options import search_problems
from histoloom.study.plugin_source import FITS
from histoloom.study.schema_words import Validator, explained, schema
from histoloom.study.sections import owner, section
from histoloom.study.stages.train import RUN_KEYS
from histoloom.study.text import Key
from histoloom.train.loss_terms import loss_terms
from histoloom.tune.space import LOSS, OPTIONS, PARTS, overlaid

RANGE_KEYS = ("low", "high", "log", "step")
# What all trials of a study have to share: what they are scored by, and what they read.
SHARED = ("select_metric", "select_class", "probe_tiles", "standardise")
# Values that training takes or refuses together: whatever is sought of a group is tried in all combinations.
TOGETHER = (("batch_size", "accumulate"), ("optimiser", "optimiser_options"), ("schedule", "schedule_options"))
MOST_WHOLE = 64  # of a range of batch sizes: all of them are tried, up to so many


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
    if values.get("trials", 0) and values.get("workers", 1) > values["trials"]:
        most = f"expected at most tune.trials ({values['trials']}), since each makes one at a time"
        yield key("workers"), f"{values['workers']}; {most}; lower it"
    sound = []
    for name, each in space.items():
        found = list(_name_problems((*key("space"), name), name, each, sections, space))
        yield from found
        sound += [] if found else [name]
    yield from (((*key("space"), *place), message) for place, message in _training_problems(sound, space, sections))
    if isinstance(losses := space.get("train.loss"), list) and "train.loss" in sound:
        yield from _maps_problems((*key("space"), "train.loss"), losses, config, dataset, architecture)
    if values.get("epochs", 0) and "train.epochs" in space:
        message = "is sought, but tune.epochs sets it for all trials; expected one of both; set tune.epochs: 0"
        yield (*key("space"), "train.epochs"), message
    for kind in ("sampler", "pruner"):
        options = values.get(f"{kind}_options", {})
        yield from search_problems(kind, values.get(kind, ""), key(f"{kind}_options"), options)


def _name_problems(
    key: Key, name: str, each: Any, sections: Mapping[str, Mapping[str, Any]], space: Mapping[str, Any]
) -> Iterator[Problem]:
    """Of one name: what it is, then how it is written, then what its schema says; the first that is wrong."""
    for problems in (
        _unknown_name(name, sections, space),
        _form_problems(each),
        _schema_problems(name, each),
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


def _training_problems(
    names: list[str], space: Mapping[str, Any], sections: Mapping[str, Mapping[str, Any]]
) -> Iterator[Problem]:
    """Of what training refuses: each by itself, and where some hang together, in every combination of them."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        head = name.split(".")[1]
        if name.startswith("train.") and (head not in OPTIONS or head in sections["train"]):
            groups.setdefault(next((group for group in TOGETHER if head in group), (head,)), []).append(name)
    for heads, group in groups.items():
        yield from _combined_problems(heads, group, space, sections)


def _combined_problems(
    heads: tuple[str, ...], names: list[str], space: Mapping[str, Any], sections: Mapping[str, Mapping[str, Any]]
) -> Iterator[Problem]:
    read = (*heads, "nodes", "processes_per_node")
    told = {message for _, message in train_problems(_only(read, sections["train"]), _at)}
    places = set()
    for combination in product(*(_tried(name, space[name]) for name in names)):
        chosen = dict(zip(names, combination, strict=True))
        try:
            tried = overlaid(sections, {name: value for name, (_, value) in chosen.items()})["train"]
        except (InputError, KeyError):  # told of the section itself
            return
        for at, message in train_problems(_only(read, tried), _at):
            name = _to_blame(at, names)
            place = (name, *chosen[name][0])
            if message not in told and place not in places:
                yield place, message
                places.add(place)
            told.add(message)


def _to_blame(at: Key, names: list[str]) -> str:
    """Which of the names that are sought a problem of training's section is told of."""
    full = "train." + ".".join(map(str, at))
    return next((name for name in names if f"{full}.".startswith(f"{name}.")), names[0])


def _maps_problems(
    key: Key, losses: list[Any], config: Mapping[str, Any], dataset: str, architecture: str
) -> Iterator[Problem]:
    """Of losses that do not teach what the chosen way of telling nuclei apart needs."""
    method = section(config, "predict", dataset, architecture).get("method", "")
    for place, loss in enumerate(losses):
        yield from maps_problems((*key, place), method, loss)


def _only(names: tuple[str, ...], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}


def _at(value: str) -> Key:
    return (value,)


def _candidates(each: Any) -> list[tuple[str | int, Any]]:
    """The ends of a range, or all choices, each with its place."""
    if isinstance(each, Mapping):
        return [(name, each[name]) for name in ("low", "high")]
    return list(enumerate(each))


def _tried(name: str, each: Any) -> list[tuple[Key, Any]]:
    """What of a name's values is tried, each with its place: also those between, where they have to be divisible."""
    found: list[tuple[Key, Any]] = [((place,), value) for place, value in _candidates(each)]
    if isinstance(each, Mapping) and name.split(".")[1] in TOGETHER[0]:
        between = range(each["low"], each["high"], each.get("step") or 1)[1:MOST_WHOLE]
        found += [((), value) for value in between]
    return found
