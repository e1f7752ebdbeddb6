"""An exported model on images of one's own: what the workflow's stage predict gives, one image at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int32, UInt8

from histoloom import plugins
from histoloom.errors import InputError
from histoloom.export.settings import MODEL, REFERENCE, read_settings, thresholds_of
from histoloom.formats.images import SUFFIXES
from histoloom.predict.engine.engine import Engine
from histoloom.predict.engine.ensemble import load_ensemble
from histoloom.predict.inference import predict_image
from histoloom.predict.postprocess import Nucleus, describe_nuclei, without_small
from histoloom.predict.probabilities import quantised, quantised_maps
from histoloom.predict.regions.class_map import class_regions
from histoloom.predict.regions.settings import plan_regions
from histoloom.predict.thresholds import KIND
from histoloom.split.normalisation import normalised, read_reference

SAME_MPP = 0.01  # share by which an image's µm per pixel may differ from the model's


@dataclass(frozen=True)
class Found:
    """What is found on an image: its class map, nucleus ids, and each nucleus.

    `not_normalised` is why the image kept its own stain although the model learnt normalised ones, or empty.
    """

    classes: UInt8[np.ndarray, "height width"]
    ids: Int32[np.ndarray, "height width"]
    nuclei: list[Nucleus]
    not_normalised: str


class ImageModel:
    """The model of a folder that export_weights.py wrote, ready on a device."""

    def __init__(self, export: Path, device: torch.device, mpp: float | None = None) -> None:
        """`mpp`: µm per pixel of the images, None where they are as the training images were.

        Raises InputError for a damaged folder, and for images of another resolution than the model's.
        """
        networks, card = load_ensemble([export / MODEL])
        self.settings = read_settings(export)
        self.engine = Engine(networks, card, self.settings.engine, device)
        self.thresholds = thresholds_of(export)
        self.method = plugins.load(KIND, self.thresholds.method)
        self.mpp = _image_mpp(export, card, mpp)
        self.plan = plan_regions(self.settings.regions, self.mpp, self.thresholds.min_area_px, "--images")
        self.normalise = _normaliser(export / REFERENCE)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, background first."""
        return self.engine.outputs.classes

    def find(self, image: UInt8[np.ndarray, "height width 3"]) -> Found:
        """Regions and nuclei of one RGB image."""
        reason = ""
        if self.normalise is not None:
            outcome = normalised(image, self.normalise)
            image, reason = outcome.image, outcome.reason
        values, maps = predict_image(self.engine, image)
        probabilities = quantised(values)
        maps = None if maps is None else quantised_maps(maps)
        ids = without_small(self.method(probabilities, maps, **self.thresholds.options), self.thresholds.min_area_px)
        return Found(class_regions(probabilities, self.plan), ids, describe_nuclei(ids, probabilities), reason)


def image_files(place: Path) -> list[Path]:
    """The images of a folder, by name, or the one image that `place` is.

    Raises InputError where there is none, and where two would have results of one name.
    """
    if place.is_file():
        return [place]
    found = sorted(path for path in place.glob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise InputError(
            f"{place}: holds no image; expected a file, or a folder of {', '.join(SUFFIXES)}; give --images another "
            "folder, or slides by --slides"
        )
    stems = [path.stem for path in found]
    if twice := next((stem for stem in stems if stems.count(stem) > 1), None):
        raise InputError(
            f"{place}: several images are called {twice}; expected names that differ before the suffix, since results "
            "are named by it; rename one"
        )
    return found


def table_rows(name: str, nuclei: Sequence[Nucleus], classes: Sequence[str]) -> Iterator[tuple[object, ...]]:
    """Rows of nuclei.csv: image, id, class, row, column, area in pixels, mean probability."""
    for nucleus in nuclei:
        place = (round(nucleus.row, 2), round(nucleus.column, 2))
        mean = round(nucleus.mean_probability, 4)
        yield name, nucleus.number, classes[nucleus.class_index], *place, nucleus.area_px, mean


def _image_mpp(export: Path, card: dict[str, Any], given: float | None) -> float | None:
    stated = card.get("mpp")
    if stated is None:
        return given
    native = stated / card["downsample"]
    if given is not None and abs(given - native) > SAME_MPP * native:
        raise InputError(
            f"--mpp {given:g}: {export} was trained on images of {native:g} µm per pixel; expected the same, since "
            "images are not scaled; scale them first, or give them by --slides, which are"
        )
    return native if given is None else given


def _normaliser(path: Path) -> Any:
    if not path.is_file():
        return None
    method, reference = read_reference(path)
    return plugins.load("normalisers", method)(reference)
