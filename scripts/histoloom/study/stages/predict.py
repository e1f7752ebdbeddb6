"""What the rules of stage predict hang on: prediction and, apart from it, post-processing."""

from collections.abc import Mapping
from typing import Any

from histoloom import plugins
from histoloom.flags import flags
from histoloom.study.plugin_source import reads
from histoloom.study.sections import fold_count, network, section
from histoloom.study.workflow import code_with_plugins

POSTPROCESS_KEYS = ("method", "method_options", "min_area_px", "tune", "tune_metric")
COMPARED_KEYS = ("tried", "tried_overlaps")
BASELINE_METHOD = "watershed"  # baselines give no instance maps, whatever the dataset's models do


def stated(wildcards: Any) -> str:
    """Where a model's options of post-processing are stated that no fold tunes."""
    return f"results/{wildcards.dataset}/{wildcards.architecture}/postprocess.json"


class Predict:
    """Functions of wildcards for the rules of this stage."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    def flags(self, wildcards: Any) -> list[str]:
        """Flags of the predict section without those of post-processing."""
        values = self._values(wildcards)
        return flags({key: value for key, value in values.items() if key not in POSTPROCESS_KEYS})

    def code(self, wildcards: Any) -> str:
        """Code of the script and of the architecture."""
        return code_with_plugins("predict_images", network(self.config, wildcards.architecture))

    def baseline_code(self, wildcards: Any) -> str:
        """Code of the script and of the baseline."""
        return code_with_plugins("predict_baseline", ("baselines", wildcards.baseline))

    def overlap_flags(self, wildcards: Any) -> list[str]:
        """The same flags with another overlap, to compare."""
        values = {key: value for key, value in self._values(wildcards).items() if key not in POSTPROCESS_KEYS}
        return flags(values | {"overlap": int(wildcards.overlap)})

    def is_tuned(self, wildcards: Any) -> bool:
        """Whether options of post-processing are chosen on each fold's validation part."""
        return bool(self._values(wildcards)["tune"])

    def settings(self, wildcards: Any) -> str:
        """The options of post-processing: the fold's own where they are tuned, else those of all folds."""
        folder = f"results/{wildcards.dataset}/{wildcards.architecture}"
        return f"{folder}/fold{wildcards.fold}/postprocess.json" if self.is_tuned(wildcards) else stated(wildcards)

    def state_flags(self, wildcards: Any) -> list[str]:
        """The method and its options as configured."""
        return flags(self._configured(wildcards))

    def state_code(self, wildcards: Any) -> str:
        """Code of the script and the method."""
        return code_with_plugins("state_postprocess", ("postprocessors", self._values(wildcards)["method"]))

    def tune_flags(self, wildcards: Any) -> list[str]:
        """The method, its options as configured, and the values to try."""
        return flags(self._configured(wildcards) | {"tried": self._values(wildcards)["tune"]})

    def tune_code(self, wildcards: Any) -> str:
        """Code of the script, the method and the metric."""
        values = self._values(wildcards)
        used = (("postprocessors", values["method"]), ("metrics", values["tune_metric"]))
        return code_with_plugins("tune_postprocess", *used)

    def postprocess_code(self, wildcards: Any) -> str:
        """Code of the script and the method."""
        return code_with_plugins("postprocess_images", ("postprocessors", self._values(wildcards)["method"]))

    def postprocess_flags(self, wildcards: Any) -> list[str]:
        """The method, whose options stand in what tune_postprocess wrote, and how regions are smoothed and cleaned."""
        regions = self._regions(wildcards)
        kept = {key: value for key, value in regions.items() if key not in COMPARED_KEYS}
        return flags(kept | {"method": self._values(wildcards)["method"]})

    def smoothing_pages(self, dataset: str, architecture: str) -> list[str]:
        """Names of the pages that compare ways of smoothing, one a fold; none where nothing is to be compared."""
        if not any(section(self.config, "regions", dataset, architecture)[key] for key in COMPARED_KEYS):
            return []
        folds = range(fold_count(section(self.config, "split", dataset)))
        return [f"smoothing_{architecture}_fold{fold}.html" for fold in folds]

    def compared(self, wildcards: Any) -> list[str]:
        """The folders of validation predictions at each overlap that is compared."""
        folder = f"results/{wildcards.dataset}/{wildcards.architecture}/fold{wildcards.fold}/validation"
        others = [f"{folder}/overlap{overlap}/probabilities" for overlap in self._other_overlaps(wildcards)]
        return [f"{folder}/probabilities", *others]

    def compare_flags(self, wildcards: Any) -> list[str]:
        """Overlaps, settings of regions, and the metrics and class that they are scored by."""
        regions, evaluate = self._regions(wildcards), section(self.config, "evaluate", wildcards.dataset)
        overlaps = [self._values(wildcards)["overlap"], *self._other_overlaps(wildcards)]
        pixelwise = [metric for metric in evaluate["metrics"] if reads("metrics", metric) == "confusion"]
        values = {key: value for key, value in regions.items() if key not in COMPARED_KEYS}
        values |= {"tried": regions["tried"], "overlap": overlaps, "metric": pixelwise}
        values |= {"score_class": self.config["report"]["headline_class"]}
        return flags(values | {"method": self._values(wildcards)["method"]})

    def compare_code(self, wildcards: Any) -> str:
        """Code of the script and of the metrics."""
        metrics = section(self.config, "evaluate", wildcards.dataset)["metrics"]
        return code_with_plugins("compare_smoothing", *(("metrics", metric) for metric in metrics))

    def _configured(self, wildcards: Any) -> dict[str, Any]:
        values = self._values(wildcards)
        return {
            "method": values["method"],
            "option": values["method_options"],
            "min_area_px": values["min_area_px"],
            "metric": values["tune_metric"],
        }

    def _regions(self, wildcards: Any) -> dict[str, Any]:
        return section(self.config, "regions", wildcards.dataset, wildcards.architecture)

    def _other_overlaps(self, wildcards: Any) -> list[int]:
        first = self._values(wildcards)["overlap"]
        return [overlap for overlap in self._regions(wildcards)["tried_overlaps"] if overlap != first]

    def _values(self, wildcards: Any) -> dict[str, Any]:
        values = section(self.config, "predict", wildcards.dataset, wildcards.architecture)
        if wildcards.architecture not in self.config["study"]["baselines"] or values["method"] == BASELINE_METHOD:
            return values
        # What both methods have, such as foreground, stays: the floor is set and tuned as the models are.
        shared = {*plugins.options("postprocessors", BASELINE_METHOD), "min_area_px"}
        kept = {
            part: {option: value for option, value in values[part].items() if option in shared}
            for part in ("method_options", "tune")
        }
        return values | kept | {"method": BASELINE_METHOD}
