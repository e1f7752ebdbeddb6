"""Checks of what a config chooses: that names exist, options are known, values fit each other, data is there.

Works on a config from which values of a wrong type were taken out, so anything may be missing.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from histoloom import plugins
from histoloom.study.checks.exports import export_problems
from histoloom.study.checks.models import model_problems
from histoloom.study.checks.plugins import Plugin, Problem, lacking_options, likely, option_problems, unknown_plugin
from histoloom.study.checks.slides import region_problems, slide_problems
from histoloom.study.checks.tuning import tune_problems
from histoloom.study.plugin_source import states
from histoloom.study.sections import owner, raw_folder, section
from histoloom.study.stages.evaluate import SECOND_ANNOTATOR

# Names of folders in results/, where a dataset's or an architecture's own folder would lie upon them.
SECTIONS = ("study", "datasets", "architectures", "pairs", "slides", "export", "report")  # asked for by name below
OFFICIAL_FOLDS = 3  # splits of PanNuke's rotation
RESERVED = ("prepared", "inspection", "tiles", "figures", "report", "slides", SECOND_ANNOTATOR)


def choice_problems(config: Mapping[str, Any]) -> list[Problem]:
    """(key, message) of everything that a schema cannot see."""
    config = _complete(config)
    datasets, architectures = _chosen(config, "datasets"), _chosen(config, "architectures")
    pairs = [(dataset, architecture) for dataset in datasets for architecture in architectures]
    return [
        *_study_problems(config),
        *_name_problems(config),
        *(problem for name in config["datasets"] for problem in _plugin_problems(config, "datasets", name, "reader")),
        *(
            problem
            for name in config["architectures"]
            for problem in _plugin_problems(config, "architectures", name, "network")
        ),
        *(problem for dataset in datasets for problem in _dataset_problems(config, dataset)),
        *(problem for pair in pairs for problem in model_problems(config, *pair)),
        *(problem for pair in pairs for problem in region_problems(config, *pair)),
        *(problem for pair in pairs for problem in tune_problems(config, *pair)),
        *slide_problems(config),
        *export_problems(config),
        *_headline_problems(config, datasets),
    ]


def _complete(config: Mapping[str, Any]) -> dict[str, Any]:
    return {**config, **{name: config.get(name, {}) for name in SECTIONS}}


def _chosen(config: Mapping[str, Any], kind: str) -> list[str]:
    # Where none of the chosen is known, "" stands for one without values of its own: the sections are checked still.
    return [name for name in config["study"].get(kind, []) if name in config[kind]] or [""]


def _study_problems(config: Mapping[str, Any]) -> Iterator[Problem]:
    for kind in ("datasets", "architectures"):
        for place, name in enumerate(config["study"].get(kind, [])):
            if name not in config[kind]:
                yield ("study", kind, place), f"'{name}' is not in {kind}; {likely(name, list(config[kind]))}"
    for place, name in enumerate(config["study"].get("baselines", [])):
        yield from unknown_plugin(("study", "baselines", place), "baselines", name)
    for pair in config["pairs"]:
        dataset, _, architecture = pair.partition("/")
        if dataset not in config["datasets"] or architecture not in config["architectures"]:
            yield ("pairs", pair), 'names no pair; expected "dataset/architecture", both from the catalogues; rename it'


def _name_problems(config: Mapping[str, Any]) -> Iterator[Problem]:
    taken = {*RESERVED, *plugins.names("baselines")}
    for kind in ("datasets", "architectures"):
        for name in config[kind]:
            if name in taken:
                yield (kind, name), "is the name of a folder or baseline in results/; expected another; rename it"


def _plugin_problems(config: Mapping[str, Any], kind: str, name: str, role: str) -> Iterator[Problem]:
    """Of a catalogue's entry: does its plug-in exist, and know its options?"""
    entry = config[kind][name]
    if not isinstance(entry, Mapping) or role not in entry:
        return
    unknown = list(unknown_plugin((kind, name, role), kind, entry[role]))
    yield from unknown
    if not unknown:
        plugin = Plugin(kind, entry[role], role)
        yield from option_problems(plugin, (kind, name, role), (kind, name, "options"), entry.get("options", {}))
        yield from lacking_options(plugin, (kind, name), entry.get("options", {}))


def _dataset_problems(config: Mapping[str, Any], dataset: str) -> Iterator[Problem]:
    entry = config["datasets"].get(dataset, {})
    if "{samples}" in entry.get("root", "") and "samples" not in config["study"]:
        yield ("datasets", dataset, "root"), "has {samples}, but study.samples is not set; expected a folder; set it"
    elif "root" in entry and not raw_folder(config, dataset).is_dir() and "files" not in entry.get("source", {}):
        steps = entry.get("obtain") or entry.get("source", {}).get("steps")
        cure = f"to get it: {steps}" if steps else "lay the data there or change root"
        yield ("datasets", dataset, "root"), f"no folder {raw_folder(config, dataset)}; expected the raw data; {cure}"
    yield from _fold_problems(config, dataset)
    yield from _list_problems(config, dataset)
    yield from _normalise_problems(config, dataset)
    tiles = section(config, "tiles", dataset)
    if tiles.get("stride_px", 0) > tiles.get("tile_px", float("inf")):
        message = f"{tiles['stride_px']}; expected at most tile_px ({tiles['tile_px']}), else pixels are left out"
        yield owner(config, "tiles", "stride_px", dataset), message
    yield from _evaluate_problems(config, dataset)


def _evaluate_problems(config: Mapping[str, Any], dataset: str) -> Iterator[Problem]:
    values = section(config, "evaluate", dataset)
    for place, metric in enumerate(values.get("metrics", [])):
        yield from unknown_plugin((*owner(config, "evaluate", "metrics", dataset), place), "metrics", metric)
    sizes = values.get("nucleus_sizes_um2", [])
    if sizes != sorted(sizes):
        key = owner(config, "evaluate", "nucleus_sizes_um2", dataset)
        yield key, f"{sizes}; expected areas that grow; write {sorted(sizes)}"
    for place, figure in enumerate(values.get("published", [])):
        metric = figure.get("metric", "").partition("@")[0] if isinstance(figure, Mapping) else ""
        key = (*owner(config, "evaluate", "published", dataset), place, "metric")
        yield from unknown_plugin(key, "metrics", metric) if metric else ()


def _fold_problems(config: Mapping[str, Any], dataset: str) -> Iterator[Problem]:
    split = section(config, "split", dataset)
    key, count = owner(config, "split", "fold_count", dataset), split.get("fold_count", 0)
    if split.get("scheme") in ("grouped", "images") and count == 1:
        yield key, "1; expected 2 or more folds, else nothing is left to train on; raise it, or set scheme: proportions"
    if split.get("scheme") in ("grouped", "images") and (split.get("validation"), count) == ("groups", 2):
        message = "2; expected 3 or more, since one fold tests and one validates; raise it, or set validation: images"
        yield key, message
    if split.get("scheme") == "official" and count > OFFICIAL_FOLDS:
        yield key, f"{count}; expected at most {OFFICIAL_FOLDS} with scheme official; lower it, or set scheme: grouped"


def _list_problems(config: Mapping[str, Any], dataset: str) -> Iterator[Problem]:
    split = section(config, "split", dataset)
    if split.get("scheme") == "list":
        key = owner(config, "split", "scheme", dataset)
        if split.get("list", "none") == "none":
            yield key, 'list; expected split.list, a CSV with the columns name, fold, part; add "list: folds.csv"'
        elif not Path(split["list"]).is_file():
            yield owner(config, "split", "list", dataset), f"no file {split['list']}; expected a CSV; mend the path"
    if split.get("near_duplicates") == "join" and split.get("scheme") in ("official", "list"):
        key = owner(config, "split", "near_duplicates", dataset)
        yield key, f"join; expected stop or warn, since scheme {split['scheme']} fixes the folds; change one of the two"
    if split.get("repeats", 1) != 1 and split.get("scheme") in ("official", "list"):
        key, given = owner(config, "split", "repeats", dataset), split["repeats"]
        yield key, f"{given}; expected 1, since scheme {split['scheme']} draws nothing; change one of the two"


def _normalise_problems(config: Mapping[str, Any], dataset: str) -> Iterator[Problem]:
    method = section(config, "normalise", dataset).get("method", "none")
    if method != "none":
        yield from unknown_plugin(owner(config, "normalise", "method", dataset), "normalisers", method)


def _headline_problems(config: Mapping[str, Any], datasets: list[str]) -> Iterator[Problem]:
    headline = config["report"].get("headline_metric")
    if headline in plugins.names("metrics") and states("metrics", headline, "LOWER_IS_BETTER"):
        yield ("report", "headline_metric"), f"'{headline}'; expected a metric of which more is better; name another"
    elif headline and any(headline not in section(config, "evaluate", name).get("metrics", []) for name in datasets):
        yield ("report", "headline_metric"), f"'{headline}'; expected one of evaluate.metrics, of each dataset; add it"
