"""What the rules of stage evaluate hang on: metrics, baselines and intervals."""

from collections.abc import Mapping
from typing import Any

from histoloom.study.sections import section
from histoloom.study.workflow import code_with_plugins, flags


class Evaluate:
    """Functions of wildcards for the rules of this stage."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    def summarise_flags(self, wildcards: Any) -> list[str]:
        """Baselines, metrics and bootstrap."""
        values = section(self.config, "evaluate", wildcards.dataset)
        chosen = {
            "baseline": self.config["study"]["baselines"],
            "metric": values["metrics"],
            "bootstrap": values["bootstrap"],
        }
        return flags(chosen | {"seed": self.config["study"]["seed"]})

    def summarise_code(self, wildcards: Any) -> str:
        """Code of the script and of the metrics."""
        metrics = section(self.config, "evaluate", wildcards.dataset)["metrics"]
        return code_with_plugins("summarise_scores", *(("metrics", metric) for metric in metrics))
