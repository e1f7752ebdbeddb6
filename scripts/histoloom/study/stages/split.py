"""What the rules of stage split hang on: folds, stain normalisation, tiles; and which pictures later stages see."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from histoloom.flags import flags
from histoloom.study.sections import fold_count, section
from histoloom.study.workflow import code_with_plugins, fingerprint


class Split:
    """Functions of wildcards for the rules of this stage."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config

    def flags(self, wildcards: Any) -> list[str]:
        """Flags of the split section, and the seed; a list of folds is an input of its own."""
        values = section(self.config, "split", wildcards.dataset)
        return flags(
            {key: value for key, value in values.items() if key != "list"} | {"seed": self.config["study"]["seed"]}
        )

    def code(self, wildcards: Any) -> str:
        """Code of the script, and of what counts the classes' pixels by which it deals."""
        return fingerprint(Path("split_dataset.py"), Path("histoloom/class_pixels.py"))

    def list_file(self, wildcards: Any) -> list[str]:
        """The table of folds that scheme "list" follows, if it is chosen."""
        values = section(self.config, "split", wildcards.dataset)
        return [values["list"]] if values["scheme"] == "list" else []

    def normalise_flags(self, wildcards: Any) -> list[str]:
        """The method of stain normalisation, and the seed."""
        return flags(section(self.config, "normalise", wildcards.dataset) | {"seed": self.config["study"]["seed"]})

    def normalise_code(self, wildcards: Any) -> str:
        """Code of the script and of the method."""
        method = section(self.config, "normalise", wildcards.dataset)["method"]
        return code_with_plugins("normalise_images", ("normalisers", method))

    def tiles_flags(self, wildcards: Any) -> list[str]:
        """Flags of the tiles section."""
        return flags(section(self.config, "tiles", wildcards.dataset))

    def normalisation_findings(self, wildcards: Any) -> list[str]:
        """What normalisation of each fold could not do, where it is on."""
        return self._normalisation_findings(wildcards.dataset)

    def all_normalisation_findings(self, wildcards: Any) -> list[str]:
        """The same of all datasets of the study."""
        return [path for dataset in self.config["study"]["datasets"] for path in self._normalisation_findings(dataset)]

    def index(self, wildcards: Any) -> str:
        """The table of images that a fold's network sees: the prepared ones, or the fold's normalised ones."""
        return f"{self._pictures(wildcards)}/index.csv"

    def images(self, wildcards: Any) -> str:
        """The folder of those images."""
        return f"{self._pictures(wildcards)}/images"

    def tiles(self, wildcards: Any) -> dict[str, str]:
        """The files of pixels and windows that a fold trains from."""
        return self._tiles(wildcards, wildcards.fold)

    def tiles_of_first_fold(self, wildcards: Any) -> dict[str, str]:
        """The same of fold 0, of which a picture is drawn."""
        return self._tiles(wildcards, "0")

    def _tiles(self, wildcards: Any, fold: str) -> dict[str, str]:
        is_normalised = section(self.config, "normalise", wildcards.dataset)["method"] != "none"
        folder = f"results/{wildcards.dataset}/{f'fold{fold}/' if is_normalised else ''}tiles"
        arrays = {name: f"{folder}/{name}.npy" for name in ("images", "masks", "instances")}
        return arrays | {"image_table": f"{folder}/images.csv", "windows": f"{folder}/windows.csv"}

    def _pictures(self, wildcards: Any) -> str:
        if section(self.config, "normalise", wildcards.dataset)["method"] == "none":
            return f"results/{wildcards.dataset}/prepared"
        return f"results/{wildcards.dataset}/fold{wildcards.fold}/normalised"

    def _normalisation_findings(self, dataset: str) -> list[str]:
        if section(self.config, "normalise", dataset)["method"] == "none":
            return []
        folds = range(fold_count(section(self.config, "split", dataset)))
        return [f"results/{dataset}/fold{fold}/normalised/findings.csv" for fold in folds]
