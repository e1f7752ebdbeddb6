"""What the rules of rounds of semi-ground truth hang on: parts, acceptance, and which round is kept.

How many rounds there are is known only when they have been judged: what depends on it asks the checkpoint judge_round.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from histoloom.flags import flags
from histoloom.study.sections import fold_count, section
from histoloom.study.stages.split import Split
from histoloom.study.stages.train import Train

RULE_KEYS = ("smoothing_px", "confidence", "agreement", "distance_px", "class_share")
FOLD = "results/{dataset}/{architecture}/fold{fold}"


class Rounds:
    """Functions of wildcards for the rules of rounds; `checkpoints` are the Snakefile's."""

    def __init__(self, config: Mapping[str, Any], checkpoints: Any, train: Train, split: Split) -> None:
        self.config, self.checkpoints, self.train, self.split = config, checkpoints, train, split
        self.datasets = [name for name in config["datasets"] if self._values(name).get("count", 0)]

    def pages(self, dataset: str, architecture: str) -> list[str]:
        """Name of the page that shows the rounds; none where models are trained once."""
        return [f"rounds_{architecture}.html"] if dataset in self.datasets else []

    def divide_flags(self, wildcards: Any) -> list[str]:
        """How the training images are divided."""
        values = self._values(wildcards.dataset)
        split = section(self.config, "split", wildcards.dataset)
        chosen = {key: values[key] for key in ("parts", "draws")}
        chosen |= {key: split[key] for key in ("stratify", "near_duplicates")}
        return flags(chosen | {"seed": self.config["study"]["seed"]})

    def accept_flags(self, wildcards: Any) -> list[str]:
        """The rule by which pixels are accepted."""
        values = self._values(wildcards.dataset)
        return flags({key: values[key] for key in RULE_KEYS})

    def verdict_flags(self, wildcards: Any) -> list[str]:
        """What ends the rounds."""
        values = self._values(wildcards.dataset)
        return flags({key: values[key] for key in ("count", "patience")})

    def train_flags(self, wildcards: Any) -> list[str]:
        """Those of training, and from round 1 on the weight of accepted pixels."""
        weight = {"pseudo_weight": self._values(wildcards.dataset)["weight"]} if int(wildcards.round) else {}
        return [*self.train.flags(wildcards), *flags(weight)]

    def tiles(self, wildcards: Any) -> dict[str, str]:
        """What a round trains from: the fold's tiles, from round 1 on with masks and windows of its own."""
        ordinary = self.split.tiles(wildcards)
        if not int(wildcards.round):
            return ordinary
        folder = _round(wildcards, int(wildcards.round))
        return ordinary | {"masks": f"{folder}/masks.npy", "windows": f"{folder}/windows.csv"}

    def drawn_tiles(self, wildcards: Any) -> dict[str, str]:
        """The fold's tiles with the masks that people drew."""
        ordinary = self.split.tiles(wildcards)
        return {key: ordinary[key] for key in ("images", "instances", "image_table")} | {"drawn": ordinary["masks"]}

    def probabilities(self, wildcards: Any) -> list[str]:
        """What the models of the round before predict of the images that they have not seen, part by part."""
        values, folder = self._values(wildcards.dataset), _round(wildcards, int(wildcards.round) - 1)
        return [f"{folder}/part{part}/probabilities" for part in range(values["parts"] * values["draws"])]

    def masks_before(self, wildcards: Any) -> list[str]:
        """The masks of the round before, which round 0 has none of: there, people's are all."""
        number = int(wildcards.round)
        return [f"{_round(wildcards, number - 1)}/masks"] if number > 1 else []

    def histories(self, wildcards: Any) -> list[str]:
        """How the main models of all rounds up to this one were trained."""
        return [f"{_round(wildcards, number)}/history.csv" for number in range(int(wildcards.round) + 1)]

    def verdicts(self, wildcards: Any) -> list[str]:
        """The verdicts of a fold's rounds, as far as they went."""
        return [path for path, _ in self._judged(wildcards, wildcards.fold)]

    def best(self, wildcards: Any) -> int:
        """The round whose model is the fold's."""
        return self._judged(wildcards, wildcards.fold)[-1][1]["best"]

    # A function for each input, since a plan has to name all of them before it is known which round they are of.

    def chosen_model(self, wildcards: Any) -> str:
        """The model of the best round."""
        return f"{_round(wildcards, self.best(wildcards))}/model.safetensors"

    def chosen_history(self, wildcards: Any) -> str:
        """How it was trained."""
        return f"{_round(wildcards, self.best(wildcards))}/history.csv"

    def chosen_epochs(self, wildcards: Any) -> str:
        """Its strips of probe tiles."""
        return f"{_round(wildcards, self.best(wildcards))}/epochs"

    def chosen_training(self, wildcards: Any) -> str:
        """A digest of its history, whose seconds no other training has; empty where that is gone."""
        path = Path(self.chosen_history(wildcards))
        return hashlib.sha256(path.read_bytes()).hexdigest()[:12] if path.exists() else ""

    def last_verdicts(self, wildcards: Any) -> list[str]:
        """The last verdict of each fold, which has the scores of all its rounds."""
        return [self._judged(wildcards, fold)[-1][0] for fold in self._folds(wildcards)]

    def drifts(self, wildcards: Any) -> list[str]:
        """What each round of each fold changed."""
        return [file for fold in self._folds(wildcards) for file in self._of_rounds(wildcards, fold, "drift.csv")]

    def shown_histories(self, wildcards: Any) -> list[str]:
        """How the main models of all rounds of each fold were trained, from round 0 on."""
        return [
            file for fold in self._folds(wildcards) for file in self._of_rounds(wildcards, fold, "history.csv", first=0)
        ]

    def shown_masks(self, wildcards: Any) -> list[str]:
        """The masks of fold 0's rounds, of which a picture is drawn."""
        return self._of_rounds(wildcards, 0, "masks")

    def page_flags(self, wildcards: Any) -> list[str]:
        """The rule and the weight of what it accepts, to be told, and how many images are shown."""
        values = self._values(wildcards.dataset)
        told = {key: values[key] for key in (*RULE_KEYS, "parts", "draws", "weight")}
        return flags(told | {"examples": self.config["report"]["examples"]})

    def _folds(self, wildcards: Any) -> range:
        return range(fold_count(section(self.config, "split", wildcards.dataset)))

    def _of_rounds(self, wildcards: Any, fold: int, name: str, first: int = 1) -> list[str]:
        last = self._judged(wildcards, fold)[-1][1]["round"]
        place = FOLD.format(**_names(wildcards), fold=fold)
        return [f"{place}/rounds/round{number}/{name}" for number in range(first, last + 1)]

    def _judged(self, wildcards: Any, fold: int | str) -> list[tuple[str, dict[str, Any]]]:
        """Path and content of each verdict; Snakemake asks again once the next one is there."""
        found: list[tuple[str, dict[str, Any]]] = []
        while not found or found[-1][1]["goes_on"]:
            names = {**_names(wildcards), "fold": str(fold), "round": str(len(found))}
            path = str(self.checkpoints.judge_round.get(**names).output[0])
            found.append((path, json.loads(Path(path).read_text(encoding="utf-8"))))
        return found

    def _values(self, dataset: str) -> dict[str, Any]:
        return section(self.config, "rounds", dataset)


def _round(wildcards: Any, number: int) -> str:
    return f"{FOLD.format(**_names(wildcards), fold=wildcards.fold)}/rounds/round{number}"


def _names(wildcards: Any) -> dict[str, str]:
    return {"dataset": wildcards.dataset, "architecture": wildcards.architecture}
