"""From the files of one image, truth and prediction, to its rows in the table of counts."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from histoloom.errors import InputError
from histoloom.evaluate.confusion import confusion_matrix
from histoloom.evaluate.counts import pair_rows, pixel_rows
from histoloom.evaluate.matching import pair_counts
from histoloom.formats.images import read_instances, read_mask
from histoloom.plugins import suggestion
from histoloom.prepared import IndexRow, read_table


def count_image(
    row: IndexRow, regions_folder: Path, nuclei_folder: Path, nucleus_classes: Mapping[int, int], n_classes: int
) -> Iterator[tuple[str, int | str, int | str, int | float]]:
    """Give (kind, truth, predicted, value) of one image: its pixels, and its nuclei where truth has any map of them.

    `nucleus_classes` are those of the image's predicted nuclei by id. Raises InputError for a missing prediction, for
    maps of different sizes, for classes that the dataset does not have and for a nucleus without a class.
    """
    regions_path = _prediction(regions_folder, row.name)
    mask, regions = read_mask(row.mask), read_mask(regions_path)
    _same_size(row.mask, mask, regions_path, regions)
    try:
        yield from pixel_rows(confusion_matrix(mask, regions, n_classes))
    except ValueError as error:
        raise InputError(f"{row.mask} against {regions_path}: {error}; prepare and predict again") from error
    if row.instances is None:
        return
    nuclei_path = _prediction(nuclei_folder, row.name)
    truth, nuclei = read_instances(row.instances), read_instances(nuclei_path)
    _same_size(row.mask, mask, row.instances, truth)
    _same_size(row.instances, truth, nuclei_path, nuclei)
    try:
        yield from pair_rows(pair_counts(truth, mask, nuclei, nucleus_classes, n_classes))
    except ValueError as error:
        raise InputError(f"{nuclei_path}: {error}; expected those of nuclei.csv; post-process again") from error


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


def _prediction(folder: Path, name: str) -> Path:
    path = folder / f"{name}.png"
    if not path.is_file():
        raise InputError(f"{path}: missing; expected the prediction of image '{name}'; run postprocess_images.py again")
    return path


def _same_size(first_path: Path, first: np.ndarray, second_path: Path, second: np.ndarray) -> None:
    if first.shape != second.shape:
        raise InputError(
            f"{second_path}: {second.shape[0]} x {second.shape[1]} px; expected {first.shape[0]} x {first.shape[1]} px "
            f"as {first_path}; prepare and predict again"
        )
