"""Finding images that come twice: identical ones, flipped or turned too, and those that were altered a little.

Measured on 780 real H&E tiles of 256 x 256 (CoNSeP, MoNuSeg, BreCaHAD, two slides), against all eight flips and turns:
no false alarm among 303,810 pairs; nor among the 50 million of 10,000 tiles cut from BreCaHAD at every 40 pixels, where
all that it found were two pairs of fields that truly overlap. Share found of copies that were changed so: JPEG quality
90 and 50, darker by 10 %, hue by +-10 %: 100 %; brighter by 10 %: 99.7 %; shifted by 2 pixels: 99.9 %; enlarged by 3 %
about the centre: 99.6 %, about a corner: 71 %; enlarged, recoloured and compressed in one: 99 %. Shifted by 8 pixels:
2 %; turned by 5 degrees: 5 %; crops that overlap by half: none. Nearly uniform images are found only where identical;
where these show no tissue, that is told apart, since empty tiles of two patients may be equal without being copies.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int8

from histoloom.errors import InputError
from histoloom.formats.images import read_image
from histoloom.prepare.duplicates.fingerprints import (
    CHANGES,
    HASH_BITS,
    Fingerprint,
    change_between,
    changed_signs,
    fingerprint,
    likeness,
)
from histoloom.prepare.duplicates.pairs import Duplicate
from histoloom.prepared import IndexRow

# Hashes of different pictures differ by some 127 bits; the closest of 2.4 million comparisons differed by 64.
MAX_DISTANCE = 64  # bits of 255
MIN_LIKENESS = 0.75  # correlation; that closest pair has 0.60, the copies above 0.79 and more (all but 1 %)
BLOCK = 512  # images compared with all others at once: 20 MB for 10,000 images
MAX_CANDIDATES = 1_000_000  # more are no accident, and would take hours to confirm


@dataclass(frozen=True)
class Picture:
    """One prepared image of one dataset."""

    dataset: str
    row: IndexRow


def find_duplicates(
    pictures: Sequence[Picture], progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Duplicate]:
    """All pairs of identical or nearly identical pictures, sorted by dataset and name, whatever the order given.

    Of several identical ones each is paired with the first, and only the first is compared with other pictures.
    Pictures are read one at a time and about 4.5 kB kept of each; time grows with the square of their number.
    `progress` is called with the number of pictures read and of all. Raises InputError where a file cannot be read, or
    where more than MAX_CANDIDATES pairs look alike, naming the datasets.
    """
    pictures = sorted(pictures, key=lambda picture: (picture.dataset, picture.row.name))
    marks = []
    for picture in pictures:
        marks.append(fingerprint(read_image(picture.row.image)))
        progress(len(marks), len(pictures))
    identical = list(_identical(pictures, marks))
    again = {second for _, second, _, _ in identical}
    telling = [place for place, mark in enumerate(marks) if place not in again and not mark.is_blank]
    near = [
        (telling[first], telling[second], distance, change)
        for first, second, distance, change in near_pairs([marks[place] for place in telling], _datasets(pictures))
    ]
    pairs = [(*pair, "blank" if marks[pair[0]].is_empty else "identical") for pair in identical]
    pairs += [(*pair, "near") for pair in near]
    return [_duplicate(pictures, *pair) for pair in sorted(pairs)]


def near_pairs(marks: Sequence[Fingerprint], subject: str = "index.csv") -> list[tuple[int, int, int, int]]:
    """Pairs (first, second, differing bits, change) of places in `marks` that are nearly one picture.

    Raises InputError, which names `subject`, where more than MAX_CANDIDATES pairs look alike.
    """
    best: dict[tuple[int, int], tuple[int, int]] = {}
    for seen, (first, second, distance, change) in enumerate(_candidates(marks)):
        if seen == MAX_CANDIDATES:
            raise InputError(
                f"{subject}: more than {MAX_CANDIDATES} pairs of images look alike; expected a dataset of different "
                "pictures; leave copies and frames of films out"
            )
        found = best.get((first, second), (HASH_BITS, 0))
        if (distance, change) < found and likeness(marks[first].thumbnail, marks[second].thumbnail, change) >= (
            MIN_LIKENESS
        ):
            best[first, second] = (distance, change)
    return [(*pair, *found) for pair, found in sorted(best.items())]


def _datasets(pictures: Sequence[Picture]) -> str:
    names = sorted({picture.dataset for picture in pictures})
    return f"dataset{'' if len(names) == 1 else 's'} {', '.join(names)}"


def _candidates(marks: Sequence[Fingerprint]) -> Iterator[tuple[int, int, int, int]]:
    if not marks:
        return
    signs = np.stack([mark.signs for mark in marks])
    flat = _flat(signs)
    for start in range(0, len(marks), BLOCK):
        for change in range(len(CHANGES)):
            # Sums of +-1 are whole numbers, which float32 holds exactly: the same on every machine.
            agreement = _flat(changed_signs(signs[start : start + BLOCK], change)) @ flat[start:].T
            for row, column in np.argwhere(agreement >= HASH_BITS - 2 * MAX_DISTANCE):
                if row < column:
                    distance = (HASH_BITS - int(agreement[row, column])) // 2
                    yield start + int(row), start + int(column), distance, change


def _flat(signs: Int8[np.ndarray, "images 16 16"]) -> Float32[np.ndarray, "images 256"]:
    flat = signs.reshape(len(signs), -1).astype(np.float32)
    flat[:, 0] = 0
    return flat


def _identical(pictures: Sequence[Picture], marks: Sequence[Fingerprint]) -> Iterator[tuple[int, int, int, int]]:
    alike = defaultdict(list)
    for place, mark in enumerate(marks):
        alike[mark.digest].append(place)
    for places in alike.values():
        firsts = places[:1]
        for place in places[1:]:
            found = next(_matches(pictures, firsts, place), None)
            if found is None:
                firsts.append(place)
            else:
                yield found


def _matches(pictures: Sequence[Picture], firsts: Sequence[int], place: int) -> Iterator[tuple[int, int, int, int]]:
    row = pictures[place].row
    for first in firsts:
        other = pictures[first].row
        is_same = other.sha256 == row.sha256 and (other.height, other.width) == (row.height, row.width)
        change = 0 if is_same else change_between(read_image(other.image), read_image(row.image))
        if change is not None:
            yield first, place, 0, change


def _duplicate(
    pictures: Sequence[Picture], first: int, second: int, distance: int, change: int, kind: str
) -> Duplicate:
    one, two = pictures[first], pictures[second]
    return Duplicate(one.dataset, one.row.name, two.dataset, two.row.name, kind, distance, CHANGES[change])
