"""A study as the rules see it: which files are wanted, and for each stage what its rules hang on (stages/).

Methods that take wildcards serve as functions in rules; their results depend on wildcards and config alone, so that
Snakemake tracks them. Only the Snakefile imports this module: it is part of no script's fingerprint.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from histoloom.study.resources import Resources
from histoloom.study.sections import fold_count, section
from histoloom.study.stages.evaluate import Evaluate
from histoloom.study.stages.export import Export
from histoloom.study.stages.predict import Predict
from histoloom.study.stages.prepare import Prepare
from histoloom.study.stages.report import Report
from histoloom.study.stages.rounds import Rounds
from histoloom.study.stages.slides import Slides
from histoloom.study.stages.split import Split
from histoloom.study.stages.train import Train
from histoloom.study.stages.tune import Tune
from histoloom.study.workflow import fingerprint

TABLES = ("summary", "comparison", "ranking", "strata", "sizes", "fold_spread", "costs")


class Study:
    """The resolved config of a study, asked by the rules."""

    def __init__(self, config: Mapping[str, Any], checkpoints: Any = None) -> None:
        """`checkpoints` are the Snakefile's: what was tuned is known only once they have run."""
        self.config = config
        self.prepare, self.split, self.tune = Prepare(config), Split(config), Tune(config, checkpoints)
        self.train = Train(config, self.tune.laid_over)
        self.rounds = Rounds(config, checkpoints, self.train, self.split)
        self.predict, self.evaluate, self.report = Predict(config), Evaluate(config), Report(config)
        self.slides, self.resources = Slides(config), Resources(config)
        self.export = Export(config, self.slides)
        # The folder of the study's report: several studies may share results, but not a front page.
        self.slug = re.sub("[^a-z0-9]+", "_", config["study"]["name"].lower()).strip("_") or "study"
        self.datasets = list(config["study"]["datasets"])
        self.sourced_datasets = [name for name in self.datasets if "source" in config["datasets"][name]]
        self.architectures = list(config["study"]["architectures"])
        self.baselines = list(config["study"]["baselines"])
        self.tables = list(TABLES)  # of a dataset, that the report shows
        self.table_pattern = _either(self.tables)
        self.architecture_pattern = _either(self.architectures)
        self.baseline_pattern = _either(self.baselines)
        # Of a dataset with rounds a fold's model is that of its best round, and else that of its one training.
        rounded = self.rounds.datasets
        self.rounded_pattern = _either(rounded)
        self.trained_pattern = _either([name for name in config["datasets"] if name not in rounded])
        self.postprocessed_pattern = _either([*self.architectures, *self.baselines])

    @property
    def wanted(self) -> list[str]:
        """All files that the report shows, its front page first."""
        return [
            f"results/report/{self.slug}/front.rst",
            *(file for dataset in self.datasets for file in self._wanted_of(dataset)),
            *self.slides.wanted(self.slug),
            *self.export.wanted,
        ]

    def _wanted_of(self, dataset: str) -> list[str]:
        figures = f"results/{dataset}/figures"
        names = ["curves.png", "models_sheet.png", "pareto.png", "strata", *(f"{table}.html" for table in self.tables)]
        names += ["reliability.png"] * self.evaluate.reads_probabilities(dataset)
        names += ["ranks.png"] * (len(self.architectures) > 1)
        for architecture in self.architectures:
            names += [f"{kind}_{architecture}.png" for kind in ("confusion", "augmentations", "agreement")]
            names += [f"epochs_{architecture}.html", f"card_{architecture}.html"]
            names += self.predict.smoothing_pages(dataset, architecture)
            names += self.tune.pages(dataset, architecture)
            names += self.rounds.pages(dataset, architecture)
        return [
            f"results/{dataset}/inspection/page.html",
            f"results/{dataset}/table.tex",
            *(f"{figures}/{name}" for name in names),
        ]

    def folds(self, wildcards: Any) -> list[int]:
        """Numbers of the dataset's folds, from 0."""
        return list(range(fold_count(section(self.config, "split", wildcards.dataset))))

    def code_of(self, script: str) -> Callable[[Any], str]:
        """The fingerprint of scripts/`script`.py as a function of wildcards, taken when a job asks for it."""

        def code(wildcards: Any) -> str:
            return fingerprint(Path(f"{script}.py"))

        return code


def _either(names: list[str]) -> str:
    # Without a name the pattern has to match nothing; an empty one would match anything.
    return "|".join(names) or "(?!)"
