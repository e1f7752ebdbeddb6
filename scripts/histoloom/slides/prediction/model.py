"""The model that a slide is predicted with: one network or several, at which resolution, and in which stain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from histoloom.errors import InputError
from histoloom.predict.engine.ensemble import best_of, load_ensemble
from histoloom.slides.prediction.slide_pixels import TOLERANCE


@dataclass(frozen=True)
class SlideModel:
    """Networks in eval mode on the CPU, the card of the first, and the µm per pixel that they were trained at.

    `reference` is the reference.npz of the stain that they were trained in, if there is one; `files` are all files that
    this was read from.
    """

    networks: list[nn.Module]
    card: dict[str, Any]
    mpp: float
    reference: Path | None
    files: list[Path]


def read_slide_model(
    models: Sequence[Path], references: Sequence[Path], choose: str, mpp: float | None = None
) -> SlideModel:
    """The "best" of some models by its validation score, or "all" of them, whose mean is taken.

    `references` has one for each model, or none. `mpp` is for models whose card does not say at how many µm per pixel
    they were trained.
    Raises InputError for a file that is no model, for models that do not fit together, where neither card nor `mpp`
    states the resolution, and where they differ by more than 1 %.
    """
    paths, reference = _chosen(models, references, choose)
    networks, card = load_ensemble(paths)
    files = [*paths, *([reference] if reference else [])]
    return SlideModel(networks, card, _model_mpp(paths[0], card, mpp), reference, files)


def _chosen(models: Sequence[Path], references: Sequence[Path], choose: str) -> tuple[list[Path], Path | None]:
    if choose == "all":
        assert not references, "each fold has its own stain; the check of the config says so"
        return list(models), None
    best = best_of(models)
    return [models[best]], references[best] if references else None


def _model_mpp(path: Path, card: Mapping[str, Any], given: float | None) -> float:
    stated = card.get("mpp")
    if stated is None and given is None:
        raise InputError(
            f"{path}: does not say at how many µm per pixel it was trained; expected its mpp, since a slide is read at "
            "it; set slides.<name>.model_mpp, or the dataset's mpp and train again"
        )
    if stated is None or given is None:
        return float(stated if given is None else given)
    if abs(stated - given) > TOLERANCE * stated:
        raise InputError(
            f"{path}: trained at {stated:g} µm per pixel, but --mpp is {given:g}; expected the same; leave the setting "
            "out, or take a model of that resolution"
        )
    return float(stated)
