"""What the rules of stage predict hang on: prediction and, apart from it, post-processing."""

from collections.abc import Mapping
from typing import Any

from histoloom.study.sections import network, section
from histoloom.study.workflow import code_with_plugins, flags

POSTPROCESS_KEYS = ("method", "min_area_px", "min_distance_px")


class Predict:
    """Functions of wildcards for the rules of this stage."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    def flags(self, wildcards: Any) -> list[str]:
        """Flags of the predict section without those of post-processing."""
        values = section(self.config, "predict", wildcards.dataset, wildcards.architecture)
        return flags({key: value for key, value in values.items() if key not in POSTPROCESS_KEYS})

    def code(self, wildcards: Any) -> str:
        """Code of the script and of the architecture."""
        return code_with_plugins("predict_images", network(self.config, wildcards.architecture))

    def baseline_code(self, wildcards: Any) -> str:
        """Code of the script and of the baseline."""
        return code_with_plugins("predict_baseline", ("baselines", wildcards.baseline))

    def postprocess_flags(self, wildcards: Any) -> list[str]:
        """Flags of the predict section that are post-processing's."""
        values = section(self.config, "predict", wildcards.dataset, wildcards.architecture)
        return flags({key: values[key] for key in POSTPROCESS_KEYS})
