"""A study as the rules see it: which files are wanted, and for each rule its flags and the fingerprint of its code.

Methods that take wildcards serve as functions in rules; their results depend on wildcards and config alone, so that
Snakemake tracks them. Only the Snakefile imports this module: it is part of no script's fingerprint.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from histoloom import plugins
from histoloom.study.workflow import SCRIPTS, fingerprint, flags, raw_digest
from histoloom.train.objective import loss_terms

# How training runs, not what it gives: these reach the rule as threads and resources, which never cause a rerun.
RUN_KEYS = ("processes", "threads_per_process", "loader_workers", "checkpoint_minutes")
DATASET_SECTIONS = ("inspect", "split", "tiles", "evaluate")
TABLES = ("summary", "comparison", "inspection/classes", "inspection/findings")
POSTPROCESS_KEYS = ("method", "min_area_px", "min_distance_px")
CACHE = Path(".snakemake", "raw_data")


def section(config: Mapping[str, Any], name: str, dataset: str, architecture: str = "") -> dict[str, Any]:
    """A section's values for a dataset and architecture; stronger ones win: section < dataset < architecture < pair."""
    owners = (
        config,
        config["datasets"].get(dataset, {}),
        config["architectures"].get(architecture, {}),
        config["pairs"].get(f"{dataset}/{architecture}", {}),
    )
    return {key: value for owner in owners for key, value in owner.get(name, {}).items()}


def raw_folder(config: Mapping[str, Any], dataset: str) -> Path:
    """The folder of a dataset's raw data; "{samples}" in it stands for study.samples."""
    root = config["datasets"][dataset]["root"]
    return Path(root.replace("{samples}", config["study"].get("samples", "{samples}")))


class Study:
    """The resolved config of a study, asked by the rules."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.seed = config["study"]["seed"]
        # The folder of the study's report: several studies may share results, but not a front page.
        self.slug = re.sub("[^a-z0-9]+", "_", config["study"]["name"].lower()).strip("_") or "study"
        self.datasets = list(config["study"]["datasets"])
        self.architectures = list(config["study"]["architectures"])
        self.baselines = list(config["study"]["baselines"])
        self.tables = list(TABLES)  # of a dataset, that the report shows
        self.table_pattern = _either(self.tables)
        self.predictors = [*self.architectures, *self.baselines]
        self.architecture_pattern = _either(self.architectures)
        self.baseline_pattern = _either(self.baselines)

    def folds(self, wildcards: Any) -> list[int]:
        """Numbers of the dataset's folds, from 0."""
        return list(range(section(self.config, "split", wildcards.dataset)["fold_count"]))

    def code_of(self, script: str) -> Callable[[Any], str]:
        """The fingerprint of scripts/`script`.py as a function of wildcards, taken when a job asks for it."""

        def code(wildcards: Any) -> str:
            return fingerprint(Path(f"{script}.py"))

        return code

    # prepare

    def prepare_flags(self, wildcards: Any) -> list[str]:
        """Flags of the dataset's reader."""
        dataset = self.config["datasets"][wildcards.dataset]
        root = raw_folder(self.config, wildcards.dataset)
        return flags({"reader": dataset["reader"], "root": root, "option": dataset.get("options", {})})

    def prepare_code(self, wildcards: Any) -> str:
        """Code of the script and of the reader."""
        return _code("prepare_dataset", ("datasets", self.config["datasets"][wildcards.dataset]["reader"]))

    def raw_digest(self, wildcards: Any) -> str:
        """Names, sizes and content of the raw data, which is no declared input: copying it would rerun everything."""
        return _raw_digest(self.config, wildcards.dataset)

    def inspect_flags(self, wildcards: Any) -> list[str]:
        """Flags of the inspect section."""
        return flags(section(self.config, "inspect", wildcards.dataset))

    # split

    def split_flags(self, wildcards: Any) -> list[str]:
        """Flags of the split section, and the seed."""
        return flags(section(self.config, "split", wildcards.dataset) | {"seed": self.seed})

    def tiles_flags(self, wildcards: Any) -> list[str]:
        """Flags of the tiles section."""
        return flags(section(self.config, "tiles", wildcards.dataset))

    # train

    def train_flags(self, wildcards: Any) -> list[str]:
        """The network, the scale of the tiles, and all of the train section that decides what training gives."""
        architecture = self.config["architectures"][wildcards.architecture]
        chosen = {key: value for key, value in self._train(wildcards).items() if key not in RUN_KEYS}
        network = {"network": architecture["network"], "option": architecture.get("options", {})}
        tiles = section(self.config, "tiles", wildcards.dataset)
        scale = {key: tiles[key] for key in ("downsample", "tile_px")}
        return flags(network | scale | chosen | {"seed": self.seed})

    def train_code(self, wildcards: Any) -> str:
        """Code of the script, the architecture, the losses and the metric that chooses the best epoch."""
        values = self._train(wildcards)
        losses = [("losses", name) for _, name in loss_terms(values["loss"])]
        return _code("train", self._network(wildcards), *losses, ("metrics", values["select_metric"]))

    def train_threads(self, wildcards: Any) -> int:
        """CPU threads of all processes."""
        return self.train_processes(wildcards) * self.threads_per_process(wildcards)

    def train_processes(self, wildcards: Any) -> int:
        """Processes that torchrun starts."""
        return self._train(wildcards)["processes"]

    def threads_per_process(self, wildcards: Any) -> int:
        """CPU threads of one process."""
        return self._train(wildcards)["threads_per_process"]

    def loader_workers(self, wildcards: Any) -> int:
        """Loader processes of one process."""
        return self._train(wildcards)["loader_workers"]

    def checkpoint_minutes(self, wildcards: Any) -> int:
        """Minutes between checkpoints."""
        return self._train(wildcards)["checkpoint_minutes"]

    def animation_flags(self, wildcards: Any) -> list[str]:
        """Timing of the animations."""
        return flags({key: self.config["report"][key] for key in ("frames_per_second", "hold_seconds")})

    # predict

    def predict_flags(self, wildcards: Any) -> list[str]:
        """Flags of the predict section without those of post-processing."""
        values = section(self.config, "predict", wildcards.dataset, wildcards.architecture)
        return flags({key: value for key, value in values.items() if key not in POSTPROCESS_KEYS})

    def predict_code(self, wildcards: Any) -> str:
        """Code of the script and of the architecture."""
        return _code("predict_images", self._network(wildcards))

    def baseline_code(self, wildcards: Any) -> str:
        """Code of the script and of the baseline."""
        return _code("predict_baseline", ("baselines", wildcards.baseline))

    def postprocess_flags(self, wildcards: Any) -> list[str]:
        """Flags of the predict section that are post-processing's."""
        values = section(self.config, "predict", wildcards.dataset, wildcards.architecture)
        return flags({key: values[key] for key in POSTPROCESS_KEYS})

    # evaluate

    def summarise_flags(self, wildcards: Any) -> list[str]:
        """Baselines, metrics and bootstrap."""
        values = section(self.config, "evaluate", wildcards.dataset)
        chosen = {"baseline": self.baselines, "metric": values["metrics"], "bootstrap": values["bootstrap"]}
        return flags(chosen | {"seed": self.seed})

    def summarise_code(self, wildcards: Any) -> str:
        """Code of the script and of the metrics."""
        metrics = section(self.config, "evaluate", wildcards.dataset)["metrics"]
        return _code("summarise_scores", *(("metrics", metric) for metric in metrics))

    # report

    def examples_flags(self, wildcards: Any) -> list[str]:
        """By which score the examples are ranked, and how many are drawn."""
        return flags(self._headline | {"count": self.config["report"]["examples"]})

    def front_page_flags(self, wildcards: Any) -> list[str]:
        """The study's name, and the score that its first answer is about."""
        return flags({"study": self.config["study"]["name"]} | self._headline)

    def recorded(self, wildcards: Any) -> str:
        """The config as JSON: of its catalogues the chosen entries, each dataset's own sections complete.

        Under raw_data stands the digest of what was read for each dataset. Keys are sorted, as in flags.
        """
        datasets = {dataset: self._complete(dataset) for dataset in self.datasets}
        architectures = {name: self.config["architectures"][name] for name in self.architectures}
        digests = {dataset: _raw_digest(self.config, dataset) for dataset in self.datasets}
        chosen = {"datasets": datasets, "architectures": architectures, "raw_data": digests}
        return json.dumps({**self.config, **chosen}, sort_keys=True)

    @property
    def _headline(self) -> dict[str, str]:
        report = self.config["report"]
        return {"metric": report["headline_metric"], "class": report["headline_class"]}

    def _complete(self, dataset: str) -> dict[str, Any]:
        sections = {name: section(self.config, name, dataset) for name in DATASET_SECTIONS}
        return {**self.config["datasets"][dataset], **sections}

    def _train(self, wildcards: Any) -> dict[str, Any]:
        return section(self.config, "train", wildcards.dataset, wildcards.architecture)

    def _network(self, wildcards: Any) -> tuple[str, str]:
        return "architectures", self.config["architectures"][wildcards.architecture]["network"]


def _raw_digest(config: Mapping[str, Any], dataset: str) -> str:
    return raw_digest(raw_folder(config, dataset), CACHE / f"{dataset}.json")


def _code(script: str, *used: tuple[str, str]) -> str:
    """Fingerprint of a script and of the plug-ins, (kind, name), that its flags make it load."""
    files = [plugins.path(kind, name).relative_to(SCRIPTS) for kind, name in used]
    return fingerprint(Path(f"{script}.py"), *files)


def _either(names: list[str]) -> str:
    # Without a name the pattern has to match nothing; an empty one would match anything.
    return "|".join(names) or "(?!)"
