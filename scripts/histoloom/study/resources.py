"""What the jobs of each stage ask a cluster for: cores, memory, time and GPUs, with more at every retry.

Methods take wildcards, and some the number of the attempt, as Snakemake gives them to threads and resources of a rule;
neither ever causes a rerun. Only the Snakefile imports this module: it is part of no script's fingerprint.
"""

import math
from collections.abc import Mapping
from typing import Any

from histoloom.study.stages.train import Train

SECTION, LIMITS = "resources", "limits"
STAGES = ("prepare", "split", "tune", "train", "predict", "evaluate", "slides", "export", "report")
CATALOGUES = ("datasets", "architectures", "pairs")  # whose entries may override a stage's values


class Resources:
    """The section resources of a config: an attribute for each stage."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.prepare, self.split = Stage(config, "prepare"), Stage(config, "split")
        self.tune = Tuning(config, "train")
        self.train, self.predict = Training(config, "train"), Stage(config, "predict")
        self.evaluate, self.slides = Stage(config, "evaluate"), Stage(config, "slides")
        self.export, self.report = Stage(config, "export"), Stage(config, "report")


class Stage:
    """Functions of wildcards for the rules of one stage; the stronger section wins, value by value.

    Section < dataset < architecture < pair. A rule without one of these wildcards takes what the others say.
    """

    def __init__(self, config: Mapping[str, Any], name: str) -> None:
        self.config, self.name = config, name

    def cores(self, wildcards: Any) -> int:
        """CPU cores of a job, on each of its nodes."""
        return self._values(wildcards)["cores"] * self._processes(wildcards)

    def memory_mb(self, wildcards: Any, attempt: int) -> int:
        """Memory of a job in MB, on each of its nodes; `attempt` counts from 1."""
        return self._grown(self._values(wildcards)["memory_mb"] * self._processes(wildcards), attempt)

    def minutes(self, wildcards: Any, attempt: int) -> int:
        """Minutes after which a job is ended; `attempt` counts from 1."""
        return self._grown(self._values(wildcards)["minutes"], attempt)

    def gres(self, wildcards: Any) -> str | None:
        """The GPUs of each node in Slurm's words, such as "gpu:2"; None where none are asked for."""
        gpus = self._values(wildcards)["gpus"] * self._processes(wildcards)
        return f"gpu:{gpus}" if gpus else None

    def _processes(self, wildcards: Any) -> int:
        """Processes on a node, each of which is given the stated cores, memory and GPUs."""
        return 1

    def _grown(self, value: int, attempt: int) -> int:
        return math.ceil(value * self.config[SECTION]["growth"] ** (attempt - 1))

    def _values(self, wildcards: Any) -> dict[str, int]:
        dataset, architecture = (getattr(wildcards, name, "") for name in ("dataset", "architecture"))
        names = (dataset, architecture, f"{dataset}/{architecture}")
        entries = (self.config[kind].get(name, {}) for kind, name in zip(CATALOGUES, names, strict=True))
        owners = (owner.get(SECTION, {}).get(self.name, {}) for owner in (self.config, *entries))
        return {key: value for owner in owners for key, value in owner.items()}


class Training(Stage):
    """The stage whose jobs run several processes: what is stated holds for each process of a node."""

    def cores(self, wildcards: Any) -> int:
        """CPU cores of a job, on each of its nodes; where 0 are stated, as many as its processes have threads."""
        return super().cores(wildcards) or Train(self.config).threads(wildcards)

    def _processes(self, wildcards: Any) -> int:
        return Train(self.config).processes_per_node(wildcards)


class Tuning(Training):
    """A worker that trains one trial after the other: what a training asks for, for a time of its own."""

    def minutes(self, wildcards: Any, attempt: int) -> int:
        """Minutes after which a worker is ended; `attempt` counts from 1."""
        return Stage(self.config, "tune").minutes(wildcards, attempt)


def unrecorded(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config without what it asks a cluster for and what it refuses, which say nothing of what a result is.

    >>> unrecorded({"resources": {"growth": 2}, "pairs": {"a/b": {"resources": {}, "train": {}}}, "train": {}})
    {'pairs': {'a/b': {'train': {}}}, 'train': {}}
    """
    kept = {name: values for name, values in config.items() if name not in (SECTION, LIMITS)}
    return kept | {kind: _without(config[kind]) for kind in CATALOGUES if kind in config}


def _without(catalogue: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: {key: value for key, value in entry.items() if key != SECTION} for name, entry in catalogue.items()}
