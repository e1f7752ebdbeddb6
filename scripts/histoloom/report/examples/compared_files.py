"""Reading an image for its agreement map: class masks and nuclei of truth and of a fold's prediction."""

from collections.abc import Mapping
from pathlib import Path

from histoloom.formats.images import read_image, read_instances, read_mask
from histoloom.prepared import IndexRow
from histoloom.report.examples.choice import Choice, of_fold
from histoloom.report.figures.agreement import Compared, without_unannotated


def read_compared(choice: Choice, row: IndexRow, regions: Mapping[int, Path], nuclei: Mapping[int, Path]) -> Compared:
    """Read an image with truth and prediction of the choice's fold; `regions` and `nuclei` are folders by fold.

    Nuclei are read where they are annotated and `nuclei` is not empty.
    """
    truth = read_mask(row.mask)
    predicted = read_mask(of_fold(regions, choice, "regions") / f"{choice.name}.png")
    sides = (None, None)
    if row.instances is not None and nuclei:
        paths = (row.instances, of_fold(nuclei, choice, "nuclei") / f"{choice.name}.png")
        sides = tuple(without_unannotated(read_instances(path), truth) for path in paths)
    return Compared(choice, read_image(row.image), truth, predicted, *sides, row.mpp)
