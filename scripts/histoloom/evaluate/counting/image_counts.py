"""From truth and prediction of one image to the facts that are stored of it."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Num, UInt8

from histoloom.evaluate.counting.boundary import surface_counts
from histoloom.evaluate.counting.confusion import confusion_matrix
from histoloom.evaluate.counting.facts import CONFUSION, FACTS, NUCLEI, PROBABILITIES, shape
from histoloom.evaluate.counting.nuclei_counts import nuclei_counts
from histoloom.evaluate.counting.probability_histogram import probability_histogram

ASSUMED_MPP = 0.25  # where an image does not state its own, 40 x: 3 µm are then 12 px, the radius of HoVer-Net's scores


@dataclass(frozen=True)
class Truth:
    """What is annotated: class indices (255 = not annotated), and nucleus ids (0 = none) or None."""

    mask: UInt8[np.ndarray, "height width"]
    instances: Int32[np.ndarray, "height width"] | None = None


@dataclass(frozen=True)
class Prediction:
    """What is predicted of the same pixels; `nucleus_classes` maps ids to class indices, probabilities are bytes."""

    mask: UInt8[np.ndarray, "height width"]
    instances: Int32[np.ndarray, "height width"] | None = None
    nucleus_classes: Mapping[int, int] | None = None
    probabilities: UInt8[np.ndarray, "height width classes"] | None = None


@dataclass(frozen=True)
class CountSettings:
    """Lengths that decide what counts as near, in µm, and the ranges of nucleus areas, in µm².

    Distances are stored in `unit`, "um" or "px". Where an image's `mpp` is None, lengths become pixels at 0.25 µm.
    """

    unit: str
    mpp: float | None
    boundary_tolerance_um: float
    detection_radius_um: float
    nucleus_sizes_um2: tuple[float, ...]

    @property
    def um_per_pixel(self) -> float:
        """The image's own resolution, or the assumed one."""
        return self.mpp or ASSUMED_MPP

    @property
    def spacing(self) -> float:
        """Length of a pixel in the unit in which distances are stored."""
        return self.um_per_pixel if self.unit == "um" else 1.0


def count_arrays(
    truth: Truth, predicted: Prediction, n_classes: int, facts: Sequence[str], settings: CountSettings
) -> dict[str, Num[np.ndarray, "rows columns"]]:
    """Count the facts named in `facts`, which must be among evaluate.counting.facts.FACTS.

    What the image has no nuclei or no probabilities for is all zero, so that it has no say in any score.
    Raises ValueError for maps of different sizes, for classes that do not exist and for a nucleus without a class.
    """
    _same_size(truth, predicted)
    # Also where nobody asks: it is what tables of classes and agreement of areas are made of.
    found = {CONFUSION: confusion_matrix(truth.mask, predicted.mask, n_classes)}
    tolerance = settings.boundary_tolerance_um / settings.um_per_pixel * settings.spacing
    if {"boundary", "hausdorff"} & set(facts):
        surfaces = surface_counts(truth.mask, predicted.mask, n_classes, settings.spacing, tolerance)
        found |= dict(zip(("boundary", "hausdorff"), surfaces, strict=True))
    if PROBABILITIES in facts and predicted.probabilities is not None:
        found[PROBABILITIES] = probability_histogram(truth.mask, predicted.probabilities)
    if truth.instances is not None and predicted.instances is not None:
        found |= _nuclei(truth, predicted, n_classes, facts, settings)
    empty = (name for name in facts if name not in found)
    found |= {name: np.zeros(shape(name, n_classes, len(settings.nucleus_sizes_um2) + 1)) for name in empty}
    return {name: found[name] for name in dict.fromkeys((CONFUSION, *facts))}


def distance_unit(mpps: Sequence[float | None]) -> str:
    """µm where all images of a dataset state their resolution, else px: scores of one table have one unit.

    >>> distance_unit([0.25, 0.5]), distance_unit([0.25, None])
    ('um', 'px')
    """
    return "um" if mpps and all(mpps) else "px"


def size_names(edges_um2: Sequence[float], unit: str) -> tuple[str, ...]:
    """What the ranges of nucleus areas are called; where images do not state their resolution that is said too.

    >>> size_names([20, 50], "um")
    ('under 20 µm²', '20 to 50 µm²', '50 µm² and more')
    >>> size_names([20], "px")
    ('under 20 µm² (320 px at 0.25 µm)', '20 µm² (320 px at 0.25 µm) and more')
    """
    if not edges_um2:
        return ("all",)
    edges = [f"{edge:g} µm²" + _assumed(edge, 2) * (unit == "px") for edge in edges_um2]
    between = (f"{low.removesuffix(' µm²')} to {high}" for low, high in itertools.pairwise(edges))
    return f"under {edges[0]}", *between, f"{edges[-1]} and more"


def length_names(lengths_um: Sequence[float], unit: str) -> tuple[str, ...]:
    """What lengths in µm are called, said as pixels too where images do not state their resolution.

    >>> length_names([2, 3], "um"), length_names([3], "px")
    (('2 µm', '3 µm'), ('3 µm (12 px at 0.25 µm)',))
    """
    return tuple(f"{each:g} µm" + _assumed(each, 1) * (unit == "px") for each in lengths_um)


def _assumed(value: float, power: int) -> str:
    return f" ({value / ASSUMED_MPP**power:g} px at {ASSUMED_MPP} µm)"


def _nuclei(
    truth: Truth, predicted: Prediction, n_classes: int, facts: Sequence[str], settings: CountSettings
) -> dict[str, Num[np.ndarray, "rows columns"]]:
    wanted = [name for name in facts if FACTS[name].needs == NUCLEI]
    return nuclei_counts(
        truth.instances,
        truth.mask,
        predicted.instances,
        predicted.nucleus_classes or {},
        n_classes,
        wanted,
        settings.detection_radius_um / settings.um_per_pixel,
        [edge / settings.um_per_pixel**2 for edge in settings.nucleus_sizes_um2],
    )


def _same_size(truth: Truth, predicted: Prediction) -> None:
    maps = {
        "nuclei of the truth": truth.instances,
        "predicted classes": predicted.mask,
        "predicted nuclei": predicted.instances,
        "predicted probabilities": predicted.probabilities,
    }
    for name, each in maps.items():
        if each is not None and each.shape[:2] != truth.mask.shape:
            raise ValueError(
                f"{name}: {each.shape[0]} x {each.shape[1]} px; expected {truth.mask.shape[0]} x "
                f"{truth.mask.shape[1]} px as the truth's classes"
            )
