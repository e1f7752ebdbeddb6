"""Checks of what a config chooses for a dataset and an architecture: training, augmentation, prediction, nuclei."""

from collections.abc import Iterator, Mapping
from math import isqrt
from typing import Any

from histoloom import plugins
from histoloom.errors import InputError
from histoloom.study.checks.optimisers import optimiser_problems
from histoloom.study.checks.plugins import Plugin, Problem, likely, option_problems, unknown_plugin
from histoloom.study.plugin_source import needs, option_complaint, reads, states
from histoloom.study.sections import owner, section
from histoloom.study.text import Key
from histoloom.train.loss_terms import Term, loss_terms

CLASS_WEIGHTS = ("none", "inverse_frequency", "effective_number")


def model_problems(config: Mapping[str, Any], dataset: str, architecture: str) -> Iterator[Problem]:
    """Problems of the sections train and predict as they are for one dataset and architecture."""

    def key(part: str, value: str) -> Key:
        return owner(config, part, value, dataset, architecture)

    train = section(config, "train", dataset, architecture)
    yield from train_problems(train, lambda value: key("train", value))
    predict = section(config, "predict", dataset, architecture)
    yield from _predict_problems(predict, lambda value: key("predict", value))
    yield from maps_problems(key("predict", "method"), predict.get("method", ""), train.get("loss", ""))
    options = config["architectures"].get(architecture, {}).get("options", {})
    if train.get("standardise") == "fold":
        yield from _colour_problems(key("train", "standardise"), architecture, options)
    yield from _overlap_problems(
        predict.get("overlap", 1), section(config, "tiles", dataset).get("tile_px", 0), key("predict", "overlap")
    )


def train_problems(values: Mapping[str, Any], key: Any) -> Iterator[Problem]:
    batch, processes = values.get("batch_size", 0), values.get("nodes", 1) * values.get("processes_per_node", 1)
    if batch % processes:
        shared = f"the processes that share it (nodes x processes_per_node: {processes})"
        yield key("batch_size"), f"{batch}; expected a multiple of {shared}"
    if values.get("accumulate", 1) > max(batch // processes, 1):
        yield (
            key("accumulate"),
            f"{values['accumulate']}; expected at most the tiles of a process ({batch // processes}); lower it",
        )
    if "select_metric" in values:
        yield from _nothing_but("confusion", "pixels", key("select_metric"), values["select_metric"])
    if "loss" in values:
        yield from _loss_problems(key("loss"), values["loss"])
    if "class_weights" in values:
        yield from _weight_problems(key("class_weights"), values["class_weights"])
    if "optimiser" in values:
        options = values.get("optimiser_options", {})
        yield from optimiser_problems(key("optimiser"), key("optimiser_options"), values["optimiser"], options)
    if "schedule" in values:
        plugin = Plugin("schedules", values["schedule"], "schedule")
        yield from _plugin_problems(
            plugin, key("schedule"), key("schedule_options"), values.get("schedule_options", {})
        )


def _predict_problems(values: Mapping[str, Any], key: Any) -> Iterator[Problem]:
    if "method" in values:
        plugin = Plugin("postprocessors", values["method"], "method")
        yield from _plugin_problems(plugin, key("method"), key("method_options"), values.get("method_options", {}))
        yield from _tune_problems(plugin, key("tune"), values.get("tune", {}))
    if "tune_metric" in values:
        yield from _nothing_but("pairs", "nuclei", key("tune_metric"), values["tune_metric"])


def _plugin_problems(plugin: Plugin, key: Key, options_key: Key, options: Mapping[str, Any]) -> Iterator[Problem]:
    unknown = list(unknown_plugin(key, plugin.kind, plugin.name))
    yield from unknown or option_problems(plugin, key, options_key, options)


def _nothing_but(counts: str, what: str, key: Key, metric: str) -> Iterator[Problem]:
    """A problem unless the metric counts that."""
    unknown = list(unknown_plugin(key, "metrics", metric))
    yield from unknown
    if not unknown and reads("metrics", metric) != counts:
        of_them = [name for name in plugins.names("metrics") if reads("metrics", name) == counts]
        fitting = [name for name in of_them if not states("metrics", name, "LOWER_IS_BETTER")]
        yield key, f"'{metric}' counts other things; expected a metric of {what}; choose {' or '.join(fitting)}"
    elif not unknown and states("metrics", metric, "LOWER_IS_BETTER"):
        yield key, f"'{metric}'; expected a metric of which more is better; name another"


def maps_problems(key: Key, method: str, loss: str) -> Iterator[Problem]:
    """A problem where nuclei are to be parted by instance maps, which no term of the loss teaches."""
    if method not in plugins.names("postprocessors") or not needs("postprocessors", method, "maps"):
        return
    try:
        terms = {term.name for term in loss_terms(loss)}
    except InputError:
        return  # told of the loss
    of_maps = [name for name in plugins.names("losses") if reads("losses", name) == "maps"]
    if terms <= set(plugins.names("losses")) and not terms & set(of_maps):
        others = [name for name in plugins.names("postprocessors") if not needs("postprocessors", name, "maps")]
        message = f'{method} needs instance maps, which train.loss "{loss}" does not teach; expected a term of maps; '
        yield key, f"{message}add {' or '.join(of_maps)} to train.loss, or set method: {' or '.join(others)}"


def _colour_problems(key: Key, architecture: str, options: Mapping[str, Any]) -> Iterator[Problem]:
    """A problem where the network scales colours itself, as the images were whose weights it starts from."""
    pretrained, scaling = options.get("pretrained", "none"), options.get("scaling")
    if pretrained != "none" or scaling == "imagenet":
        option = f"pretrained: {pretrained}" if pretrained != "none" else f"scaling: {scaling}"
        message = f"fold, but {architecture} with {option} scales colours itself; expected one scaling of colours"
        yield key, f"{message}; set standardise: none"


def _loss_problems(key: Key, text: str) -> Iterator[Problem]:
    try:
        terms = loss_terms(text)
    except InputError:
        example = f'expected such as "2*bce + focal(gamma=3)" of {", ".join(plugins.names("losses"))}'
        yield key, f'"{text}" is no sum of losses; {example}'
        return
    if not any(term.weight for term in terms):
        yield key, f'"{text}" has no weight above 0; expected one at least, else nothing is learnt; raise one'
    for term in terms:
        yield from _term_problems(key, term)


def _term_problems(key: Key, term: Term) -> Iterator[Problem]:
    plugin = Plugin("losses", term.name, "loss")
    unknown = list(unknown_plugin(key, "losses", term.name))
    # The whole term is at one place of the config, whatever option of it is wrong.
    found = unknown or option_problems(plugin, key, key, term.options)
    yield from ((key, message if unknown else f"{place[-1]} of {term.name}: {message}") for place, message in found)


def _weight_problems(key: Key, value: Any) -> Iterator[Problem]:
    if isinstance(value, str) and value.partition(":")[0] not in CLASS_WEIGHTS:
        yield key, f"'{value}'; expected one number a class; {likely(value, list(CLASS_WEIGHTS))}"
    elif isinstance(value, list) and not (
        value and all(type(each) in (int, float) and 0 <= each < float("inf") for each in value)
    ):
        yield key, f"{value}; expected one number from 0 for each class, such as [0.5, 1, 2]; mend the list"


def _tune_problems(plugin: Plugin, key: Key, tried: Mapping[str, Any]) -> Iterator[Problem]:
    if plugin.name not in plugins.names(plugin.kind):
        return
    known = [*plugins.options(plugin.kind, plugin.name), "min_area_px"]
    for option, values in tried.items():
        if option not in known:
            yield (*key, option), f"no option of method {plugin.name}; {likely(str(option), known)}"
        elif option == "min_area_px" and any(type(value) is not int or value < 0 for value in values):
            yield (*key, option), f"{values}; expected whole numbers from 0, in native pixels; mend the list"
        elif option != "min_area_px":
            wrong = [option_complaint(plugin.kind, plugin.name, option, value) for value in values]
            yield from (((*key, option), each) for each in wrong if each)


def _overlap_problems(overlap: int, tile_px: int, key: Key) -> Iterator[Problem]:
    if tile_px % isqrt(overlap):
        message = f"{overlap}; expected one whose square root divides tile_px ({tile_px}); choose 4 or 16, or a tile_px"
        yield key, f"{message} divisible by {isqrt(overlap)}, such as {32 * isqrt(overlap)}"
