"""What the rules of stage tune hang on: what is sought, by how many, and how it comes into training.

What was found is laid over the values of training here, when Snakemake asks for the flags of a job: so another optimum
trains anew, and an equal one does not, however often it was sought.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from histoloom import plugins
from histoloom.flags import flags
from histoloom.study.sections import fold_count, section
from histoloom.study.stages.train import Sections, Train
from histoloom.study.workflow import SCRIPTS, fingerprint
from histoloom.train.loss_terms import loss_terms
from histoloom.tune.space import PARTS, overlaid

SEARCH_KEYS = ("trials", "sampler", "sampler_options", "pruner", "pruner_options")


def tuned_once(config: Mapping[str, Any], dataset: str) -> list[str]:
    """Architectures whose values are sought in fold 0 for all folds, so on images that test other folds."""
    if fold_count(section(config, "split", dataset)) == 1:
        return []
    tunes = {name: section(config, "tune", dataset, name) for name in config["study"]["architectures"]}
    return [name for name, tune in tunes.items() if tune["trials"] and tune["folds"] == "first"]


class Tune:
    """Functions of wildcards for the rules of this stage; `checkpoints` is the Snakefile's."""

    def __init__(self, config: Mapping[str, Any], checkpoints: Any = None) -> None:
        self.config, self.checkpoints = config, checkpoints

    def laid_over(self, wildcards: Any, sections: Sections) -> Sections:
        """The sections with what was found for them; as they are where nothing of them is sought."""
        if not self._is_sought(wildcards, sections):
            return sections
        found = json.loads(Path(self._found(wildcards)).read_text(encoding="utf-8"))["values"]
        return overlaid(sections, {name: value for name, value in found.items() if name.partition(".")[0] in sections})

    def found(self, wildcards: Any) -> list[str]:
        """The file of the values that a training takes, where some are sought."""
        return [self._found(wildcards)] if self._is_sought(wildcards, PARTS) else []

    def found_augmentation(self, wildcards: Any) -> list[str]:
        """The same of what shows augmentation, where values of that are sought."""
        return [self._found(wildcards)] if self._is_sought(wildcards, ("augment",)) else []

    def flags(self, wildcards: Any) -> list[str]:
        """What is sought and how, and what else trainings are told."""
        values = self._values(wildcards)
        sections = Train(self.config).sections(wildcards)
        sections["train"] = {**sections["train"], "epochs": values["epochs"] or sections["train"]["epochs"]}
        texts = {"space": _json(values["space"]), "training": _json(sections)}
        return flags({key: values[key] for key in SEARCH_KEYS} | texts)

    def code(self, wildcards: Any) -> str:
        """Code of the worker and of training, with all plug-ins that a trial may use."""
        values, sought = Train(self.config).sections(wildcards)["train"], self._values(wildcards)["space"]
        losses, schedules = ([values[key], *_choices(sought, key)] for key in ("loss", "schedule"))
        used = [("losses", term.name) for text in losses for term in loss_terms(text)]
        used += [("schedules", name) for name in schedules]
        used += [
            ("metrics", values["select_metric"]),
            ("architectures", self.config["architectures"][wildcards.architecture]["network"]),
        ]
        files = sorted({plugins.path(*plugin).relative_to(SCRIPTS) for plugin in used})
        return fingerprint(Path("tune_training.py"), Path("train.py"), *files)

    def workers(self, wildcards: Any) -> int:
        """Jobs that share the trials: a resource, since who makes a trial is not what it is."""
        return self._values(wildcards)["workers"]

    def reports(self, wildcards: Any) -> list[str]:
        """The reports of all workers of a fold."""
        folder = f"results/{wildcards.dataset}/{wildcards.architecture}/fold{wildcards.fold}/tuning"
        return [f"{folder}/worker{worker}.json" for worker in range(self.workers(wildcards))]

    def choice_flags(self, wildcards: Any) -> list[str]:
        """How many trials count, what was sought, and what scores are made of."""
        values, train = self._values(wildcards), Train(self.config).sections(wildcards)["train"]
        chosen = {
            "trials": values["trials"],
            "name": sorted(values["space"]),
            "metric": train["select_metric"],
            "score_class": train["select_class"],
            "bootstrap": section(self.config, "evaluate", wildcards.dataset)["bootstrap"],
            "seed": self.config["study"]["seed"],
        }
        return flags(chosen)

    def choice_code(self, wildcards: Any) -> str:
        """Code of the script and of the metric."""
        metric = Train(self.config).sections(wildcards)["train"]["select_metric"]
        return fingerprint(Path("choose_trial.py"), plugins.path("metrics", metric).relative_to(SCRIPTS))

    def picture_flags(self, wildcards: Any) -> list[str]:
        """What was sought, and what scores are called."""
        train = Train(self.config).sections(wildcards)["train"]
        score = f"{train['select_metric']} ({train['select_class']}) on the validation part"
        return flags({"space": _json(self._values(wildcards)["space"]), "score": score})

    def pages(self, dataset: str, architecture: str) -> list[str]:
        """Names of the figures and pages of the report, for each fold in which something is sought."""
        values = section(self.config, "tune", dataset, architecture)
        folds = range(fold_count(section(self.config, "split", dataset))) if values["folds"] == "each" else [0]
        kinds = ("tuning_{}_fold{}.png", "tuning_{}_fold{}.html")
        return [kind.format(architecture, fold) for fold in folds for kind in kinds] if values["trials"] else []

    def _is_sought(self, wildcards: Any, sections: Iterable[str]) -> bool:
        values = self._values(wildcards)
        return values["trials"] > 0 and not {name.partition(".")[0] for name in values["space"]}.isdisjoint(sections)

    def _found(self, wildcards: Any) -> str:
        # What has no fold, such as a picture of augmented tiles, is of the first one.
        is_first = self._values(wildcards)["folds"] == "first" or not hasattr(wildcards, "fold")
        names = {"dataset": wildcards.dataset, "architecture": wildcards.architecture}
        return str(self.checkpoints.choose_trial.get(**names, fold="0" if is_first else wildcards.fold).output.tuned)

    def _values(self, wildcards: Any) -> dict[str, Any]:
        return section(self.config, "tune", wildcards.dataset, wildcards.architecture)


def _choices(space: Mapping[str, Any], key: str) -> list[str]:
    found = space.get(f"train.{key}", [])
    return found if isinstance(found, list) else []


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
