"""What an annotated image is, whatever dataset it comes from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int32, UInt8

IGNORE = 255  # mask value of a pixel that nobody annotated: it counts in no loss, gradient or metric
PSEUDO = 128  # + class: training mask value of a pixel that a model saw and a rule accepted, and nobody drew (marks.py)


@dataclass(frozen=True)
class Sample:
    """One image with its truth.

    `mask` holds class indices (0 = background, IGNORE = not annotated); `instances` holds nucleus ids (0 = none),
    or is None where the dataset has none; `second_instances` are the nuclei of the same image as a second annotator
    drew them, kept for the agreement between annotators. `mpp` is micrometres per pixel, None where the dataset does
    not say. `group` is what must not straddle folds (case, patient, slide), `stratum` what folds should share out
    evenly (organ), `fold` the number of the dataset's own official fold, None where it has none. `counts` says what the
    reader counted or repaired in this image; summed over the images it stands among the dataset's facts.
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
    second_instances: Int32[np.ndarray, "height width"] | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """What a reader gives: classes, how to read each sample, and what the report must say of the data.

    `classes[0]` is the background. Each of `items` reads one sample, and raises InputError where that one is bad, so
    that all bad ones can be listed, or skipped, in one go. `problems` are messages, worded like those errors, about
    files that cannot become a sample at all, such as an image without annotation. `facts` are settings that are part
    of what a score means (disc radius).
    """

    classes: tuple[str, ...]
    items: Sequence[Callable[[], Sample]]
    licence: str
    citation: str
    facts: Mapping[str, str | int | float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Sample]:
        return (read() for read in self.items)
