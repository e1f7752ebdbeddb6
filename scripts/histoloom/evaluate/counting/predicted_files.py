"""Truth and prediction of one image as the workflow's own files hold them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from histoloom.errors import InputError
from histoloom.evaluate.counting.image_counts import Prediction, Truth
from histoloom.formats.images import read_instances, read_mask
from histoloom.marks import is_marked
from histoloom.plugins import suggestion
from histoloom.predict.probabilities import read_probabilities
from histoloom.prepared import IndexRow, read_table


def read_truth(row: IndexRow) -> Truth:
    """The annotation of a prepared image; raises InputError where a model labelled pixels of it."""
    mask = read_mask(row.mask)
    if is_marked(mask).any():
        raise InputError(
            f"{row.mask}: {is_marked(mask).sum()} pixels were labelled by a model; expected people's annotation, since "
            "no score is taken of anything else; give the masks that prepare wrote"
        )
    return Truth(mask, read_instances(row.instances) if row.instances else None)


def read_prediction(
    row: IndexRow,
    regions: Path,
    nuclei: Path,
    nucleus_classes: Mapping[int, int],
    probabilities: Path | None = None,
    class_count: int = 0,
) -> Prediction:
    """The class mask of an image, its nuclei where truth has some, and its probabilities where a folder is given.

    Raises InputError for a file that is missing, damaged, or of another size than the image, and for a nucleus that
    has no class.
    """
    paths = regions / f"{row.name}.png", nuclei / f"{row.name}.png"
    mask = _of_size(paths[0], read_mask(_existing(paths[0], row.name)), row)
    instances = None
    if row.instances:
        instances = _of_size(paths[1], read_instances(_existing(paths[1], row.name)), row)
        _check_classes(paths[1], instances, nucleus_classes)
    values = None
    if probabilities:
        path = probabilities / f"{row.name}.npy"
        values = _of_size(path, read_probabilities(path, class_count), row)
    return Prediction(mask, instances, nucleus_classes, values)


def read_nucleus_classes(nuclei_table: Path, classes: Sequence[str]) -> dict[str, dict[int, int]]:
    """Class index of every predicted nucleus by image and id, from the nuclei.csv of a fold."""
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for row in read_table(nuclei_table):
        if row["class"] not in classes:
            raise InputError(
                f"{nuclei_table}: nucleus {row['id']} of {row['name']} is '{row['class']}'; "
                f"{suggestion(row['class'], list(classes))}; post-process again"
            )
        found[row["name"]][int(row["id"])] = classes.index(row["class"])
    return found


def _of_size(path: Path, values: np.ndarray, row: IndexRow) -> np.ndarray:
    if values.shape[:2] != (row.height, row.width):
        raise InputError(
            f"{path}: {values.shape[0]} x {values.shape[1]} px; expected {row.height} x {row.width} px as {row.mask}; "
            "predict again"
        )
    return values


def _check_classes(path: Path, instances: np.ndarray, nucleus_classes: Mapping[int, int]) -> None:
    unnamed = sorted(set(np.unique(instances).tolist()) - {0, *nucleus_classes})
    if unnamed:
        raise InputError(
            f"{path}: nucleus {unnamed[0]} has no class; expected the nuclei of nuclei.csv; post-process again"
        )


def _existing(path: Path, name: str) -> Path:
    if not path.is_file():
        raise InputError(f"{path}: missing; expected the prediction of image '{name}'; run postprocess_images.py again")
    return path
