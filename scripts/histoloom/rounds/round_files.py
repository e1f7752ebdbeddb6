"""The files of a round: predictions of models that have not seen an image, and masks that people and a rule made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from histoloom.errors import InputError
from histoloom.formats.images import read_mask
from histoloom.predict.probabilities import read_probabilities
from histoloom.prepared import IndexRow, read_index, read_table
from histoloom.rounds.parts import left_out


@dataclass(frozen=True)
class Judged:
    """A training image: its row of the index, and the probability maps of the models that have not seen it."""

    row: IndexRow
    maps: tuple[Path, ...]

    def drawn(self) -> UInt8[np.ndarray, "height width"]:
        """What people drew."""
        return read_mask(self.row.mask)

    def probabilities(self, class_count: int) -> Iterator[UInt8[np.ndarray, "height width classes"]]:
        """What each model says, read one by one; raises InputError for a map that does not fit the image."""
        size = (self.row.height, self.row.width)
        for path in self.maps:
            values = read_probabilities(path, class_count)
            if values.shape[:2] != size:
                raise InputError(
                    f"{path}: {values.shape[0]} x {values.shape[1]} px; expected {size[0]} x {size[1]}, as the image "
                    "has; predict again"
                )
            yield values


def judged_images(index: Path, parts: Path, probabilities: Sequence[Path]) -> list[Judged]:
    """All training images in the order of names; `probabilities` are the folders of the parts, in their order.

    Raises InputError where their number is not that of the parts.
    """
    rows, table = {row.name: row for row in read_index(index)}, read_table(parts)
    count = 1 + max(int(row["fold"]) for row in table)
    if len(probabilities) != count:
        raise InputError(f"--probabilities: {len(probabilities)} folders; expected {count}, one for each of {parts}")
    return [
        Judged(rows[name], tuple(probabilities[part] / f"{name}.npy" for part in of_parts))
        for name, of_parts in left_out(table).items()
    ]


def mask_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Name and file of each mask of a round."""
    yield from ((path.stem, path) for path in sorted(folder.glob("*.png")))
