"""The human ceiling: what a second annotator drew of the same images, in the form in which models predict.

How far two people agree bounds what a score can tell about a model: beyond it, a model follows one person's habits.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int32, UInt8

from histoloom.errors import InputError
from histoloom.formats.images import read_instances
from histoloom.predict.postprocess import Nucleus, describe_nuclei
from histoloom.prepared import Description, IndexRow

NUCLEUS = 1  # the one foreground class
COPIES = "second_opinions_equal_to_truth"  # fact of a prepared dataset


def check_ceiling(description: Description, rows: Sequence[IndexRow]) -> None:
    """Refuse datasets of which a second annotation cannot be scored as a prediction.

    It holds nuclei without classes. Where there is one foreground class they are of that; where there are several,
    nobody has said which, and the class of the truth under each would be the answer given away. Copies of the truth,
    which the dataset's facts count, would pass for perfect agreement.
    Raises InputError for several foreground classes, an image without second annotation, and where all are copies.
    """
    if len(description.classes) != 2:
        raise InputError(
            f"{description.name}: {len(description.classes) - 1} foreground classes, and second annotations have "
            "none; expected one class, as nucleus; set evaluate.second_annotator to false for this dataset"
        )
    if lacking := [row.name for row in rows if row.second_instances is None]:
        raise InputError(
            f"{description.name}: image '{lacking[0]}' has no second annotation ({len(lacking)} of {len(rows)} lack "
            "it); expected one of each, so that people and models are scored on the same images; set "
            "evaluate.second_annotator to false for this dataset"
        )
    if rows and description.facts.get(COPIES, 0) == len(rows):
        raise InputError(
            f"{description.name}: all {len(rows)} second annotations equal the first; expected another person's; set "
            "evaluate.second_annotator to false, or choose another annotator in the dataset's options"
        )


def read_annotation(row: IndexRow) -> Int32[np.ndarray, "height width"]:
    """The second annotator's nuclei of an image, ids as prepared; InputError for a map of another size."""
    nuclei = read_instances(row.second_instances)
    if nuclei.shape != (row.height, row.width):
        raise InputError(
            f"{row.second_instances}: {nuclei.shape[0]} x {nuclei.shape[1]} px; expected {row.height} x {row.width} px "
            "as its image; prepare the dataset again"
        )
    return nuclei


def regions_of(nuclei: Int32[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width"]:
    """The class mask of nuclei of the one class.

    >>> regions_of(np.array([[0, 3, 3]], np.int32))
    array([[0, 1, 1]], dtype=uint8)
    """
    return np.where(nuclei > 0, np.uint8(NUCLEUS), np.uint8(0))


def nuclei_of(nuclei: Int32[np.ndarray, "height width"]) -> list[Nucleus]:
    """Place and area of each nucleus by id, which go from 1 without gaps; all are of the one class, and certain."""
    mask = regions_of(nuclei)
    return describe_nuclei(nuclei, np.stack([1 - mask, mask], axis=-1) * np.uint8(255))
