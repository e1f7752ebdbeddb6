"""Pairs of images that show the same picture, as duplicates.csv holds them."""

from dataclasses import dataclass
from pathlib import Path

from histoloom.errors import InputError
from histoloom.prepared import read_table

DUPLICATE_COLUMNS = ("first_dataset", "first", "second_dataset", "second", "kind", "distance", "change")
KINDS = ("identical", "blank", "near")


@dataclass(frozen=True)
class Duplicate:
    """Two images of one picture.

    `kind` "identical": the pixels are the same after `change`; "blank": they are, and neither shows anything but glass
    or padding; "near": almost the same. `distance` is the number of hash bits that differ (of 255), `change` how the
    first is flipped or turned to become the second (CHANGES).
    """

    first_dataset: str
    first: str
    second_dataset: str
    second: str
    kind: str
    distance: int
    change: str


def read_duplicates(path: Path, dataset: str) -> list[Duplicate]:
    """Read the pairs of duplicates.csv whose images are both of `dataset`.

    Raises InputError for an unknown kind.
    """
    pairs = [Duplicate(**{**row, "distance": int(row["distance"])}) for row in read_table(path)]
    for pair in pairs:
        if pair.kind not in KINDS:
            raise InputError(f"{path}: kind '{pair.kind}'; expected one of {', '.join(KINDS)}; search again")
    return [pair for pair in pairs if pair.first_dataset == pair.second_dataset == dataset]
