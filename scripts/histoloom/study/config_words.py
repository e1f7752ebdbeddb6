"""What a rule's flags are called in the config, and which values of it changed between two lists of flags."""

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from histoloom.study.sections import owner

# Where the values of a stage's flags stand; a key is looked for in the order of the sections.
SECTIONS = {
    "prepare": ("prepare", "inspect"),
    "split": ("split", "normalise", "tiles"),
    "tune": ("tune",),
    "train": ("train", "augment", "tiles", "report"),
    "predict": ("predict", "regions"),
    "rounds": ("rounds", "train", "augment", "tiles", "split", "predict", "report"),
    "evaluate": ("evaluate",),
    "slides": ("predict", "regions"),
    "report": ("report",),
}
# Flags that are not called as in the config, by the rule or its stage; the rule is the stronger. {names} are wildcards.
NAMED = {
    ("download", "file"): "datasets.{dataset}.source.files",
    ("download", "steps"): "datasets.{dataset}.source.steps",
    ("download", "licence"): "datasets.{dataset}.options.licence",
    ("download", "citation"): "datasets.{dataset}.options.citation",
    ("prepare", "root"): "datasets.{dataset}.root",
    ("prepare", "reader"): "datasets.{dataset}.reader",
    ("prepare", "option"): "datasets.{dataset}.options",
    ("train", "network"): "architectures.{architecture}.network",
    ("train", "option"): "architectures.{architecture}.options",
    ("choose_trial", "name"): "tune.space",
    ("choose_trial", "bootstrap"): "evaluate.bootstrap",
    ("choose_trial", "metric"): "train.select_metric",
    ("choose_trial", "score_class"): "train.select_class",
    ("draw_tuning", "score"): "train.select_metric, train.select_class",
    ("rounds", "network"): "architectures.{architecture}.network",
    ("rounds", "option"): "architectures.{architecture}.options",
    ("rounds", "pseudo_weight"): "rounds.weight",
    ("train_round", "patience"): "train.patience",
    ("train_part", "patience"): "train.patience",
    **{("predict_part", key): f"predict.{key}" for key in ("batch_size", "compile", "precision")},
    ("predict", "option"): "predict.method_options",
    ("tune_postprocess", "tried"): "predict.tune",
    ("tune_postprocess", "metric"): "predict.tune_metric",
    ("state_postprocess", "metric"): "predict.tune_metric",
    ("compare_smoothing", "overlap"): "regions.tried_overlaps",
    ("compare_smoothing", "metric"): "evaluate.metrics",
    ("compare_smoothing", "score_class"): "report.headline_class",
    ("evaluate", "baseline"): "study.baselines",
    ("evaluate", "metric"): "evaluate.metrics",
    ("evaluate", "fact"): "facts that evaluate.metrics needs",
    ("report", "metric"): "report.headline_metric",
    ("report", "class"): "report.headline_class",
    ("check_headline", "metric"): "report.headline_metric",
    ("check_headline", "class"): "report.headline_class",
    ("report", "count"): "report.examples",
    ("report", "study"): "study.name",
    ("find_tissue", "default_mpp"): "slides.mpp",
    ("find_tissue", "name"): "slides.files",
    ("find_tissue", "mpp"): "slides.files",
    ("find_tissue", "own_mask"): "slides.files",
    ("predict_slide", "mpp"): "slides.model_mpp",
    ("predict_slide", "choose"): "slides.fold",
    ("slides", "model_name"): "slides.model",
    ("slides", "longest_px"): "slides.overview_px",
}
# Flags that are whole sections, as JSON: where their keys stand in the config.
OBJECTS = {"space": "tune.space.", "training": ""}
ARCHITECTURE = {"architecture.network": "network", "architecture.option": "options"}
SEED = "study.seed"
NOTHING = "not set"
LONGEST = 60  # characters of a mapping that is shown whole; of a longer one its keys alone
PAIR = re.compile(r"[A-Za-z_]\w*=")


@dataclass(frozen=True)
class Change:
    """A value of the config, by its dotted key, as it was and as it is."""

    key: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.key}: {self.before} -> {self.after}"


def changes(
    before: Sequence[str],
    after: Sequence[str],
    place: tuple[str, str],
    wildcards: Mapping[str, str],
    config: Mapping[str, Any],
) -> list[Change]:
    """What differs between two lists of command-line words, as the config calls it; `place` is (rule, stage).

    A flag that the config does not have keeps its own name, with two dashes.

    >>> config = {"train": {"epochs": 5}, "datasets": {"a": {"train": {"epochs": 9}}}, "architectures": {}, "pairs": {}}
    >>> old, new = ["--epochs", "5", "--seed", "0"], ["--epochs", "9", "--seed", "0"]
    >>> [str(change) for change in changes(old, new, ("train", "train"), {"dataset": "a"}, config)]
    ['datasets.a.train.epochs: 5 -> 9']
    """
    old, new = flag_values(before), flag_values(after)
    differing = [flag for flag in {**old, **new} if old.get(flag) != new.get(flag)]
    return [
        change
        for flag in sorted(differing)
        for change in (
            _changes_within(OBJECTS[flag], old.get(flag), new.get(flag), wildcards, config)
            if flag in OBJECTS
            else _changes_of(key_of(flag, place, wildcards, config), old.get(flag), new.get(flag))
        )
    ]


def flag_values(words: Iterable[str]) -> dict[str, list[str]]:
    """Words by the flag that they follow, in snake_case.

    >>> flag_values(["--tile-px", "128", "--metric", "dice", "pq", "--none"])
    {'tile_px': ['128'], 'metric': ['dice', 'pq'], 'none': []}
    """
    found: dict[str, list[str]] = {}
    values: list[str] = []
    for word in words:
        if word.startswith("--"):
            values = found.setdefault(word.removeprefix("--").replace("-", "_"), [])
        else:
            values.append(word)
    return found


def key_of(flag: str, place: tuple[str, str], wildcards: Mapping[str, str], config: Mapping[str, Any]) -> str:
    """The dotted key of the config that a flag's value stands at: that of the strongest section that states it.

    Such as pairs.<dataset>/<architecture>.train.learning_rate. "--flag-name" for a flag that the config does not have.
    """
    if flag == "seed":
        return SEED
    for where in place:
        if (where, flag) in NAMED:
            return _owned(NAMED[where, flag].format_map(_Known(wildcards)), wildcards, config)
    stage = place[1]
    if stage == "slides" and (key := _slide_key(flag, config["slides"])):
        return key
    for name in SECTIONS.get(stage, ()):
        if flag in config.get(name, {}):
            return _owned(f"{name}.{flag}", wildcards, config)
    return "--" + flag.replace("_", "-")


def differences(before: Any, after: Any, key: str = "") -> Iterator[Change]:
    """What differs between two configs, by dotted keys in the order of `after`, then what only `before` has.

    >>> [str(one) for one in differences({"train": {"epochs": 5, "loss": "dice"}}, {"train": {"epochs": 9}})]
    ['train.epochs: 5 -> 9', 'train.loss: dice -> not set']
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in [*after, *(name for name in before if name not in after)]:
            inner = f"{key}.{name}" if key else str(name)
            yield from differences(before.get(name, _Missing), after.get(name, _Missing), inner)
    elif before != after:
        yield Change(key, shown(before), shown(after))


def shown(value: Any) -> str:
    """A value of the config as text, as it stands in a config; of a long mapping its keys alone.

    >>> shown([True, 1e-3, "a"]), shown({"scheme": "official"}), shown(None)
    ('[true, 0.001, a]', '{scheme: official}', 'none')
    """
    if value is _Missing:
        return NOTHING
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, Mapping):
        text = "{" + ", ".join(f"{name}: {shown(inner)}" for name, inner in value.items()) + "}"
        return text if len(text) <= LONGEST else f"{{{len(value)} keys: {', '.join(map(str, value))}}}"
    return "none" if value is None else str(value)


class _Missing:
    """Stands for a key that is not there, since None is a value."""


class _Known(dict):
    # A rule may lack a wildcard of its stage's table; then the name of the wildcard is said instead.
    def __missing__(self, key: str) -> str:
        return f"<{key}>"


def _changes_of(key: str, old: list[str] | None, new: list[str] | None) -> Iterator[Change]:
    words = [*(old or ()), *(new or ())]
    if words and all(PAIR.match(word) for word in words):
        for inner in differences(dict(map(_pair, old or ())), dict(map(_pair, new or ()))):
            yield Change(f"{key}.{inner.key}", inner.before, inner.after)
    else:
        yield Change(key, _said(old), _said(new))


def _changes_within(
    start: str, old: list[str] | None, new: list[str] | None, wildcards: Mapping[str, str], config: Mapping[str, Any]
) -> Iterator[Change]:
    before, after = (json.loads(words[0]) if words else {} for words in (old, new))
    for inner in differences(before, after):
        first = ".".join(inner.key.split(".")[:2])
        if first in ARCHITECTURE:
            place = f"architectures.{wildcards.get('architecture', '<architecture>')}.{ARCHITECTURE[first]}"
            key = place + inner.key.removeprefix(first)
        elif start:  # of the section's one value, whose keys have dots of their own
            key = _owned(start.rstrip("."), wildcards, config) + f".{inner.key}"
        else:
            key = _owned(inner.key, wildcards, config)
        yield Change(key, inner.before, inner.after)


def _pair(word: str) -> tuple[str, Any]:
    name, _, text = word.partition("=")
    try:
        return name, ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return name, text


def _said(words: list[str] | None) -> str:
    if not words:
        return NOTHING
    return words[0] if len(words) == 1 else f"[{', '.join(words)}]"


def _slide_key(flag: str, slides: Mapping[str, Any]) -> str:
    for part in ("tissue", "predict", "regions"):
        if flag in slides.get(part, {}):
            return f"slides.{part}.{flag}"
    return f"slides.{flag}" if flag in slides else ""


def _owned(key: str, wildcards: Mapping[str, str], config: Mapping[str, Any]) -> str:
    name, _, value = key.partition(".")
    if name in ("study", "slides", "report", "datasets", "architectures"):
        return key  # no dataset or architecture states these otherwise
    dataset, architecture = wildcards.get("dataset", ""), wildcards.get("architecture", wildcards.get("baseline", ""))
    return ".".join(owner(config, name, value, dataset, architecture))
