"""What an annotated image is, whatever dataset it comes from."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int32, UInt8

IGNORE = 255  # mask value of a pixel that nobody annotated: it counts in no loss, gradient or metric


@dataclass(frozen=True)
class Sample:
    """One image with its truth.

    `mask` holds class indices (0 = background, IGNORE = not annotated); `instances` holds nucleus ids (0 = none),
    or is None where the dataset has none. `mpp` is micrometres per pixel, None where the dataset does not say.
    `group` is what must not straddle folds (case, patient, slide), `stratum` what folds should share out evenly
    (organ), `fold` the number of the dataset's own official fold, None where it has none.
    """

    name: str
    image: UInt8[np.ndarray, "height width 3"]
    mask: UInt8[np.ndarray, "height width"]
    instances: Int32[np.ndarray, "height width"] | None = None
    mpp: float | None = None
    group: str = ""
    stratum: str = ""
    fold: int | None = None
    source: str = ""  # the file or array row that it was read from, for messages and the index


@dataclass(frozen=True)
class Dataset:
    """What a reader gives: classes, samples one at a time, and what the report must say of the data.

    `classes[0]` is the background. `read` gives a fresh iterator each time and holds one sample in memory.
    `facts` are settings that are part of what a score means (disc radius) and counts of repairs; a reader may add
    to it while it reads.
    """

    classes: tuple[str, ...]
    length: int
    read: Callable[[], Iterator[Sample]]
    licence: str
    citation: str
    facts: dict[str, str | int | float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[Sample]:
        return self.read()
