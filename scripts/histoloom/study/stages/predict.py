"""What the rules of stage predict hang on: prediction and, apart from it, post-processing."""

from collections.abc import Mapping
from typing import Any

from histoloom import plugins
from histoloom.study.sections import network, section
from histoloom.study.workflow import code_with_plugins, flags

POSTPROCESS_KEYS = ("method", "method_options", "min_area_px", "tune", "tune_metric")
BASELINE_METHOD = "watershed"  # baselines give no instance maps, whatever the dataset's models do


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

    def validation(self, wildcards: Any) -> dict[str, list[str]]:
        """The folders of predictions of the validation part, if there is something to tune on it."""
        folder = f"results/{wildcards.dataset}/{wildcards.architecture}/fold{wildcards.fold}/validation"
        is_tuned = bool(self._values(wildcards)["tune"])
        return {name: [f"{folder}/{name}"] * is_tuned for name in ("probabilities", "maps")}

    def tune_flags(self, wildcards: Any) -> list[str]:
        """The method, its options as configured, and the values to try."""
        values = self._values(wildcards)
        chosen = {
            "method": values["method"],
            "option": values["method_options"],
            "min_area_px": values["min_area_px"],
            "tried": values["tune"],
            "metric": values["tune_metric"],
        }
        return flags(chosen)

    def tune_code(self, wildcards: Any) -> str:
        """Code of the script, the method and the metric."""
        values = self._values(wildcards)
        used = (("postprocessors", values["method"]), ("metrics", values["tune_metric"]))
        return code_with_plugins("tune_postprocess", *used)

    def postprocess_code(self, wildcards: Any) -> str:
        """Code of the script and the method."""
        return code_with_plugins("postprocess_images", ("postprocessors", self._values(wildcards)["method"]))

    def postprocess_flags(self, wildcards: Any) -> list[str]:
        """The method; its options stand in what tune_postprocess wrote."""
        return flags({"method": self._values(wildcards)["method"]})

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
