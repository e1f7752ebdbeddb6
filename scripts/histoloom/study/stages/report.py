"""What the rules of stage report hang on: the headline score, and the record of the whole config."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from histoloom.flags import flags
from histoloom.study.raw import raw_data_digest
from histoloom.study.resources import unrecorded
from histoloom.study.sections import fold_count, section
from histoloom.study.stages.tune import tuned_once
from histoloom.study.workflow import code_with_plugins

DATASET_SECTIONS = ("prepare", "inspect", "split", "normalise", "tiles", "evaluate")


class Report:
    """Functions of wildcards for the rules of this stage."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    def examples_flags(self, wildcards: Any) -> list[str]:
        """By which score the examples are ranked, and how many are drawn."""
        return flags(self._headline | {"count": self.config["report"]["examples"]})

    def code_with_headline(self, script: str) -> Callable[[Any], str]:
        """The fingerprint of a script that asks the headline's metric which way is better."""

        def code(wildcards: Any) -> str:
            return code_with_plugins(script, ("metrics", self.config["report"]["headline_metric"]))

        return code

    def headline_flags(self, wildcards: Any) -> list[str]:
        """The score that figures are about."""
        return flags(self._headline)

    def front_page_flags(self, wildcards: Any) -> list[str]:
        """The study's name, the score that its first answer is about, and models tuned on others' test images."""
        study = self.config["study"]
        once = [f"{dataset}/{name}" for dataset in study["datasets"] for name in tuned_once(self.config, dataset)]
        return flags({"study": study["name"], "tuned_once": once} | self._headline)

    def table_flags(self, wildcards: Any) -> list[str]:
        """Metrics and class of the LaTeX table."""
        report = self.config["report"]
        metrics = report["latex_metrics"] or section(self.config, "evaluate", wildcards.dataset)["metrics"]
        return flags({"metric": metrics, "class": report["headline_class"]})

    def histories(self, wildcards: Any) -> list[str]:
        """The history of each training of the study."""
        study = self.config["study"]
        return [
            f"results/{dataset}/{architecture}/fold{fold}/history.csv"
            for dataset in study["datasets"]
            for architecture in study["architectures"]
            for fold in range(fold_count(section(self.config, "split", dataset)))
        ]

    def recorded(self, wildcards: Any) -> str:
        """The config as JSON: of its catalogues the chosen entries, each dataset's own sections complete.

        Under raw_data stands the digest of what was read for each dataset. Keys are sorted, as in flags.
        """
        datasets = {dataset: self._complete(dataset) for dataset in self.config["study"]["datasets"]}
        architectures = {name: self.config["architectures"][name] for name in self.config["study"]["architectures"]}
        digests = {dataset: raw_data_digest(self.config, dataset) for dataset in self.config["study"]["datasets"]}
        chosen = {"datasets": datasets, "architectures": architectures, "raw_data": digests}
        return json.dumps(unrecorded({**self.config, **chosen}), sort_keys=True)

    @property
    def _headline(self) -> dict[str, str]:
        report = self.config["report"]
        return {"metric": report["headline_metric"], "class": report["headline_class"]}

    def _complete(self, dataset: str) -> dict[str, Any]:
        sections = {name: section(self.config, name, dataset) for name in DATASET_SECTIONS}
        return {**self.config["datasets"][dataset], **sections}
