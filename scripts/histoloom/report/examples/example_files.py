"""Reading an image that a picture shows: its pixels, its truth, and what a fold of an architecture predicted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int32, UInt8

from histoloom.evaluate.counting.predicted_files import read_nucleus_classes
from histoloom.formats.images import read_image, read_instances, read_mask
from histoloom.prepared import IndexRow
from histoloom.report.examples.choice import Choice, fold_folders, of_fold
from histoloom.report.figures.examples import Example, Outlined


@dataclass(frozen=True)
class Predictions:
    """What one architecture predicted, by fold: folders of class masks and of ids of nuclei, and the nuclei's classes.

    The classes are by image and id. The latter two are empty where the dataset has no nuclei.
    """

    regions: Mapping[int, Path]
    nuclei: Mapping[int, Path]
    nucleus_classes: Mapping[int, Mapping[str, Mapping[int, int]]]


def predictions_of(
    regions: Sequence[Path], nuclei: Sequence[Path], tables: Sequence[Path], classes: Sequence[str]
) -> Predictions:
    """Sort paths that end in fold<k>/<what> by fold, and read the tables of nuclei."""
    of_nuclei = {fold: read_nucleus_classes(path, classes) for fold, path in fold_folders(tables).items()}
    return Predictions(fold_folders(regions), fold_folders(nuclei), of_nuclei)


def read_example(choice: Choice, row: IndexRow, predictions: Predictions) -> Example:
    """Read an image with truth and prediction of the choice's fold.

    Where nuclei are predicted and annotated, they are what is shown: each predicted one with its class of the table.
    """
    regions = read_mask(of_fold(predictions.regions, choice, "regions") / f"{choice.name}.png")
    truth, predicted = Outlined(read_mask(row.mask)), Outlined(regions)
    if row.instances is not None and predictions.nuclei:
        truth = Outlined(truth.mask, read_instances(row.instances))
        nuclei = read_instances(of_fold(predictions.nuclei, choice, "nuclei") / f"{choice.name}.png")
        class_of = of_fold(predictions.nucleus_classes, choice, "tables of nuclei").get(choice.name, {})
        predicted = Outlined(painted(nuclei, class_of), nuclei)
    return Example(choice, read_image(row.image), truth, predicted, row.mpp)


def painted(
    nuclei: Int32[np.ndarray, "height width"], class_of: Mapping[int, int]
) -> UInt8[np.ndarray, "height width"]:
    """A class mask in which each nucleus is of one class; one without a class is none.

    >>> painted(np.array([[0, 7, 9]], np.int32), {7: 2, 9: 1})
    array([[0, 2, 1]], dtype=uint8)
    """
    classes = np.zeros(int(nuclei.max(initial=0)) + 1, np.uint8)
    for number, index in class_of.items():
        if number < len(classes):
            classes[number] = index
    return classes[nuclei]
