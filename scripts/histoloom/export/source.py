"""What an exported model is made from: the best of some folds, its card, and what has to be said of its data."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from histoloom.errors import InputError
from histoloom.predict.engine.ensemble import best_of, load_ensemble
from histoloom.prepared import Description, read_description
from histoloom.targets import Outputs


@dataclass(frozen=True)
class Source:
    """A model that is to leave the study.

    name: "dataset/architecture". place: which of the given files it is, from 0. reference: reference.npz of the stain
    that it learnt in, None where images are not normalised. model_card: the Markdown that people read.
    """

    name: str
    place: int
    path: Path
    network: nn.Module
    card: dict[str, Any]
    description: Description
    reference: Path | None
    model_card: str

    @property
    def outputs(self) -> Outputs:
        """What its channels mean."""
        return Outputs(tuple(self.card["classes"]), self.card.get("has_maps", False))


def add_source_flags(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the flags that `read_source` reads."""
    add = parser.add_argument
    add("--name", required=True, help="dataset/architecture, as it is shown")
    add("--model", type=Path, nargs="+", required=True, help="model.safetensors of training; the best of several")
    add("--reference", type=Path, nargs="*", default=[], help="reference.npz of each model, if it learnt in its stain")
    add("--dataset", type=Path, required=True, help="dataset.json of the prepared dataset")
    add("--model-card", type=Path, required=True, help="the model's card, Markdown")


def parse_source(description: str | None, folder: str) -> argparse.Namespace:
    """The command line of a script that writes one form of a model; its flag `folder` names what to write."""
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    add_source_flags(parser)
    parser.add_argument(folder, type=Path, required=True, help="folder to write")
    return parser.parse_args()


def read_source(args: argparse.Namespace) -> Source:
    """The model with the best validation score among those of the flags.

    Raises InputError for files that are no models, or by which nothing can be predicted, and for one of other classes
    than its dataset.
    """
    place = best_of(args.model)
    path = args.model[place]
    (network,), card = load_ensemble([path])
    description = read_description(args.dataset)
    if tuple(card["classes"]) != description.classes:
        raise InputError(
            f"{path}: classes {card['classes']}; expected {list(description.classes)} as of {args.dataset}; train again"
        )
    reference = args.reference[place] if args.reference else None
    text = args.model_card.read_text(encoding="utf-8")
    return Source(args.name, place, path, network, card, description, reference, text)
