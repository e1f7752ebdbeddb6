"""What the rules of stage slides hang on: each slide's file and model, and the flags of every step on its way."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from histoloom.flags import flags
from histoloom.raw_data import file_digest
from histoloom.study.sections import fold_count, network, section
from histoloom.study.slide_list import ListedSlide, listed_slides
from histoloom.study.stages.predict import POSTPROCESS_KEYS, Predict, stated
from histoloom.study.workflow import code_with_plugins

# Digests of slides, a file for each: one for all was read and written as often as there are slides.
CACHE = Path(".snakemake", "slides")
NOTHING = "none"
FOLDER = "results/slides/{slide}/{dataset}/{architecture}"


class Slides:
    """Functions of wildcards for the rules of this stage; a slide is named by its slug."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.values = config["slides"]
        self.listed = {slide.slug: slide for slide in listed_slides(self.values)}

    def collect(self, pattern: str) -> list[str]:
        """`pattern` for each slide, with {slide}, {dataset} and {architecture}."""
        return [
            pattern.format(slide=slide.slug, dataset=slide.dataset, architecture=slide.architecture)
            for slide in self.listed.values()
        ]

    def wanted(self, study: str) -> list[str]:
        """The picture of each slide, and the page of all; nothing where no slide is listed."""
        page = [f"results/report/{study}/slides.html"] if self.listed else []
        names = ["overview.png", *(["probabilities.ome.tif"] if self.values["probabilities"] else [])]
        return [*(path for name in names for path in self.collect(f"{FOLDER}/{name}")), *page]

    def file(self, wildcards: Any) -> str:
        """The slide's own file."""
        return str(self._slide(wildcards).path)

    def content(self, wildcards: Any) -> str:
        """Digest of the slide's file: its time stamp does not count."""
        slide = self._slide(wildcards)
        return file_digest(slide.path, CACHE / f"{slide.slug}.json")

    def own_files(self, wildcards: Any) -> dict[str, str]:
        """The slide's own tissue mask, and the checksums, if there are any."""
        slide, checksums = self._slide(wildcards), self.values["checksums"]
        found = {"own_mask": slide.tissue, "checksums": None if checksums == NOTHING else checksums}
        return {name: str(path) for name, path in found.items() if path}

    def tissue_flags(self, wildcards: Any) -> list[str]:
        """The shown name, a stated pixel size, files of one's own, and how tissue is found."""
        slide = self._slide(wildcards)
        found = {"mpp": slide.mpp, "default_mpp": self.values["mpp"]}
        stated = {name: value for name, value in found.items() if value}
        return flags({"name": slide.name} | stated | self.own_files(wildcards) | self.values["tissue"])

    def folds_of(self, pattern: str) -> Any:
        """A function of wildcards that gives `pattern` for every fold of the slide's model."""

        def files(wildcards: Any) -> list[str]:
            folds = range(fold_count(section(self.config, "split", wildcards.dataset)))
            model = {"dataset": wildcards.dataset, "architecture": wildcards.architecture}
            return [pattern.format(fold=fold, **model) for fold in folds]

        return files

    def settings(self, wildcards: Any) -> list[str]:
        """The options of post-processing of every fold of the slide's model, or the one file for all."""
        if not Predict(self.config).is_tuned(wildcards):
            return [stated(wildcards)]
        return self.folds_of("results/{dataset}/{architecture}/fold{fold}/postprocess.json")(wildcards)

    def references(self, wildcards: Any) -> list[str]:
        """The reference of stain of every fold, where the model learnt normalised images."""
        if section(self.config, "normalise", wildcards.dataset)["method"] == NOTHING:
            return []
        return self.folds_of("results/{dataset}/fold{fold}/normalised/reference.npz")(wildcards)

    def predict_flags(self, wildcards: Any) -> list[str]:
        """Section predict as it is for slides, without post-processing, and what else decides a prediction."""
        values = {key: value for key, value in self._predict(wildcards).items() if key not in POSTPROCESS_KEYS}
        stated = {"mpp": self.values["model_mpp"]} if self.values["model_mpp"] else {}
        outside = 255 if self.values["outside"] == "ignore" else 0
        return flags(values | stated | {"choose": self.values["fold"], "outside": outside})

    def predict_code(self, wildcards: Any) -> str:
        """Code of the script, the architecture, and the normaliser if there is one."""
        method = section(self.config, "normalise", wildcards.dataset)["method"]
        normaliser = [] if method == NOTHING else [("normalisers", method)]
        return code_with_plugins("predict_slide", network(self.config, wildcards.architecture), *normaliser)

    def postprocess_flags(self, wildcards: Any) -> list[str]:
        """The method of nuclei, the margin of their blocks, and section regions as it is for slides."""
        regions = section(self.config, "regions", wildcards.dataset, wildcards.architecture) | self.values["regions"]
        kept = {key: value for key, value in regions.items() if not key.startswith("tried")}
        return flags(kept | {"margin_px": self.values["margin_px"], "method": self._predict(wildcards)["method"]})

    def postprocess_code(self, wildcards: Any) -> str:
        """Code of the script and of the method."""
        return code_with_plugins("postprocess_slide", ("postprocessors", self._predict(wildcards)["method"]))

    def export_flags(self, wildcards: Any) -> list[str]:
        """How far outlines may move, and by what name QuPath knows the objects."""
        return flags({"simplify_um": self.values["simplify_um"], "model_name": self._model_name(wildcards)})

    def overview_flags(self, wildcards: Any) -> list[str]:
        """Sizes of the picture and of the squares in which nuclei are counted."""
        sizes = {"longest_px": self.values["overview_px"], "cell_um": self.values["cell_um"]}
        return flags(sizes | {"model_name": self._model_name(wildcards)})

    def _model_name(self, wildcards: Any) -> str:
        return f"{wildcards.dataset}/{wildcards.architecture}"

    def _slide(self, wildcards: Any) -> ListedSlide:
        return self.listed[wildcards.slide]

    def _predict(self, wildcards: Any) -> dict[str, Any]:
        return section(self.config, "predict", wildcards.dataset, wildcards.architecture) | self.values["predict"]
