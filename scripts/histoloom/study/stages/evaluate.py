"""What the rules of stage evaluate hang on: metrics, baselines and intervals."""

import functools
from collections.abc import Mapping
from typing import Any

from histoloom.flags import flags
from histoloom.study.plugin_source import reads
from histoloom.study.sections import section
from histoloom.study.stages.tune import tuned_once
from histoloom.study.workflow import code_with_plugins

ALWAYS_COUNTED = ("confusion", "pairs", "sizes")  # pictures, and tables of counts and sizes, are made of these
SECOND_ANNOTATOR = "second_annotator"  # stands among the predictors of a dataset that two people annotated
TUNED_ONCE = "tuned on fold 0 for all folds (tune.folds: first), so on test images of others"
LEAKS = "groups are parted (split.scheme: images), so this flatters"
COUNT_KEYS = ("boundary_tolerance_um", "detection_radius_um", "nucleus_sizes_um2")


class Evaluate:
    """Functions of wildcards for the rules of this stage."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    def count_flags(self, wildcards: Any) -> list[str]:
        """The facts that the dataset's metrics are made of, and what counts as near and as small."""
        values = section(self.config, "evaluate", wildcards.dataset)
        return flags({"fact": self._facts(wildcards.dataset)} | {name: values[name] for name in COUNT_KEYS})

    def predictors(self, wildcards: Any) -> list[str]:
        """Models, baselines, and the second annotator where there is one: all that is scored on the dataset."""
        study = self.config["study"]
        human = [SECOND_ANNOTATOR] * section(self.config, "evaluate", wildcards.dataset)["second_annotator"]
        return [*study["architectures"], *study["baselines"], *human]

    def probabilities(self, wildcards: Any) -> list[str]:
        """The folder of predicted probabilities, where a metric asks for them and the predictor gives some."""
        folder = f"results/{wildcards.dataset}/{wildcards.architecture}/fold{wildcards.fold}/probabilities"
        is_read = self.reads_probabilities(wildcards.dataset) and wildcards.architecture != SECOND_ANNOTATOR
        return [folder] * is_read

    def reads_probabilities(self, dataset: str) -> bool:
        """Whether a metric of the dataset asks for probabilities, which then can be drawn."""
        return "probabilities" in self._facts(dataset)

    def summarise_flags(self, wildcards: Any) -> list[str]:
        """Baselines, metrics, bootstrap, and what every score is to be read with."""
        values = section(self.config, "evaluate", wildcards.dataset)
        chosen = {
            "baseline": self.config["study"]["baselines"],
            "human": [SECOND_ANNOTATOR] * values["second_annotator"],
            "metric": values["metrics"],
            "published": values["published"],
            "bootstrap": values["bootstrap"],
            "remark": self._remarks(wildcards.dataset),
            "model_remark": dict.fromkeys(tuned_once(self.config, wildcards.dataset), TUNED_ONCE),
        }
        return flags(chosen | {"seed": self.config["study"]["seed"]})

    def summarise_code(self, wildcards: Any) -> str:
        """Code of the script and of the metrics."""
        metrics = section(self.config, "evaluate", wildcards.dataset)["metrics"]
        return code_with_plugins("summarise_scores", *(("metrics", metric) for metric in metrics))

    def _remarks(self, dataset: str) -> list[str]:
        remark = self.config["datasets"][dataset].get("remark")
        leaks = section(self.config, "split", dataset)["scheme"] == "images"
        return [*([remark] if remark else []), *([LEAKS] if leaks else [])]

    def _facts(self, dataset: str) -> list[str]:
        return list(_facts_of(*section(self.config, "evaluate", dataset)["metrics"]))


@functools.cache  # every job that scores a fold asks
def _facts_of(*metrics: str) -> tuple[str, ...]:
    return tuple(sorted({*ALWAYS_COUNTED, *(reads("metrics", metric) for metric in metrics)}))
