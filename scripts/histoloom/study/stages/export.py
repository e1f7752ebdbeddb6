"""What the rules of stage export hang on: which models leave the study, in which forms, and how they predict."""

from collections.abc import Mapping
from typing import Any

from histoloom.flags import flags
from histoloom.study.checks.exports import BEST
from histoloom.study.sections import network, section
from histoloom.study.stages.predict import COMPARED_KEYS, POSTPROCESS_KEYS
from histoloom.study.stages.slides import NOTHING, Slides
from histoloom.study.workflow import code_with_plugins

SECTIONS = ("predict", "regions")
FOLDER = "results/{dataset}/{architecture}/export/{format}"


class Export:
    """Functions of wildcards for the rules of this stage."""

    def __init__(self, config: Mapping[str, Any], slides: Slides) -> None:
        self.config, self.slides = config, slides
        self.values = config["export"]

    @property
    def wanted(self) -> list[str]:
        """The folder of each model in each form; nothing where no form is asked for."""
        chosen = self.config["study"]
        everything = [f"{one}/{other}" for one in chosen["datasets"] for other in chosen["architectures"]]
        models = [model.split("/") for model in self.values["models"] or everything]
        return [
            FOLDER.format(dataset=dataset, architecture=architecture, format=form)
            for dataset, architecture in models
            for form in self.values["formats"]
        ]

    def models(self, wildcards: Any) -> list[str]:
        """The weights to choose from: those of every fold, or of the one that the config names."""
        return self._of_folds("results/{dataset}/{architecture}/fold{fold}/model.safetensors", wildcards)

    def references(self, wildcards: Any) -> list[str]:
        """The reference of stain of each of these folds, where the model learnt normalised images."""
        if section(self.config, "normalise", wildcards.dataset)["method"] == NOTHING:
            return []
        return self._of_folds("results/{dataset}/fold{fold}/normalised/reference.npz", wildcards)

    def settings(self, wildcards: Any) -> list[str]:
        """The options of post-processing of each of these folds, or the one file for all."""
        found = self.slides.settings(wildcards)
        fold = self.values["fold"]
        return found if fold == BEST or len(found) == 1 else [found[fold]]

    def source_flags(self, wildcards: Any) -> list[str]:
        """By what name the model is known."""
        return flags({"name": f"{wildcards.dataset}/{wildcards.architecture}"})

    def weights_flags(self, wildcards: Any) -> list[str]:
        """How images are predicted and post-processed, and how slides are."""
        sections = {name: section(self.config, name, wildcards.dataset, wildcards.architecture) for name in SECTIONS}
        of_slides = self.config["slides"]
        slide = {
            "margin_px": of_slides["margin_px"],
            "outside": 255 if of_slides["outside"] == "ignore" else 0,
            "simplify_um": of_slides["simplify_um"],
            "model_mpp": of_slides["model_mpp"],
        }
        groups = {
            "engine": _without(sections["predict"], POSTPROCESS_KEYS),
            "regions": _without(sections["regions"], COMPARED_KEYS),
            "slide_engine": _without(sections["predict"] | of_slides["predict"], POSTPROCESS_KEYS),
            "slide_regions": _without(sections["regions"] | of_slides["regions"], COMPARED_KEYS),
            "tissue": of_slides["tissue"],
            "slide": slide,
        }
        return self.source_flags(wildcards) + flags(groups)

    def code(self, script: str) -> Any:
        """A function of wildcards: code of `script` and of the architecture, whose steps an export holds."""

        def code(wildcards: Any) -> str:
            return code_with_plugins(script, network(self.config, wildcards.architecture))

        return code

    def _of_folds(self, pattern: str, wildcards: Any) -> list[str]:
        fold = self.values["fold"]
        if fold == BEST:
            return self.slides.folds_of(pattern)(wildcards)
        return [pattern.format(dataset=wildcards.dataset, architecture=wildcards.architecture, fold=fold)]


def _without(values: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in keys}
