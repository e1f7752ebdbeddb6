"""Giving the images of a fold one stain: the reference drawn from its training images, and each image brought to it."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from histoloom.colour.normaliser import Normaliser
from histoloom.colour.stain import EstimateFailed, estimate_stains, stain_vectors, tissue_mask
from histoloom.errors import InputError
from histoloom.files import atomic_file, write_table
from histoloom.findings import Finding, listed
from histoloom.formats.images import read_image
from histoloom.formats.packed_arrays import read_packed
from histoloom.prepared import INDEX_COLUMNS, IndexRow, read_table

PIXELS_OF_AN_IMAGE = 10_000
REFERENCE_IMAGES = 1_000
NAMES_SHOWN = 3
REFERENCE_PIXELS = 1_000_000  # at least 1,000 of each image, as many as an estimate needs
VECTOR_COLUMNS = tuple(f"{stain}_{channel}" for stain in ("haematoxylin", "eosin") for channel in "rgb")
NORMALISED_COLUMNS = (
    "name",
    "part",
    "state",
    "reason",
    *(f"{column}_before" for column in VECTOR_COLUMNS),
    *(f"{column}_after" for column in VECTOR_COLUMNS),
)


@dataclass(frozen=True)
class Outcome:
    """An image after normalisation, and its stain vectors before and after.

    Where the estimate failed, `reason` says why and the image is the one that came in; the vectors are then None.
    """

    image: UInt8[np.ndarray, "height width 3"]
    reason: str = ""
    before: Float[np.ndarray, "2 3"] | None = None
    after: Float[np.ndarray, "2 3"] | None = None

    @property
    def state(self) -> str:
        """The word in the table: normalised or fallback."""
        return "fallback" if self.reason else "normalised"


def draw_reference(
    rows: Sequence[IndexRow], seed: int, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[UInt8[np.ndarray, "_ 3"]]:
    """Draw tissue pixels of the training images: up to 10,000 of each, of at most 1,000 images and 1,000,000 in all.

    Which pixels an image gives depends on the seed, its name and its pixels alone; one whose two stains cannot be
    estimated gives none. One image is in memory at a time.
    Raises InputError when more than half of the images give none.
    """
    assert rows, "split gives every fold a training image"
    rows = sorted(rows, key=lambda row: _draw(seed, row.name))[:REFERENCE_IMAGES]
    count = min(PIXELS_OF_AN_IMAGE, REFERENCE_PIXELS // len(rows))
    drawn, failed = [], []
    for done, row in enumerate(rows, start=1):
        try:
            drawn.append(_drawn_tissue(row, count, seed))
        except EstimateFailed:
            failed.append(row.name)
        progress(done, len(rows))
    if 2 * len(failed) > len(rows):
        raise InputError(
            f"stain normalisation: {len(failed)} of {len(rows)} training images show no two stains "
            f"({', '.join(sorted(failed)[:5])}); expected half of them at least; see the inspection's findings, or "
            "normalise nothing in this study"
        )
    return drawn


def write_reference(path: Path, method: str, reference: Sequence[UInt8[np.ndarray, "_ 3"]]) -> None:
    """Write the method's name and the reference's pixels as .npz, from which the normaliser is made again.

    `pixels` (pixels, 3) holds those of one image after the other, `counts` how many of each.
    """
    counts = np.array([len(pixels) for pixels in reference])
    with atomic_file(path) as part:
        np.savez_compressed(part, method=np.array(method), pixels=np.concatenate(reference), counts=counts)


def read_reference(path: Path) -> tuple[str, list[UInt8[np.ndarray, "_ 3"]]]:
    """Read the method's name and the pixels of each image that its normaliser is made from.

    Raises InputError for a file that is missing, damaged, or larger than limits.text_mib when unpacked.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such reference; normalise_images.py writes it; run the workflow again")
    method, pixels, counts = read_packed(path, ("method", "pixels", "counts"))
    is_one_name = method.dtype.kind == "U" and method.ndim == 0
    are_counts = counts.dtype.kind in "iu" and counts.ndim == 1 and counts.size > 0 and counts.min() >= 1
    are_pixels = pixels.dtype == np.uint8 and pixels.ndim == 2 and pixels.shape[1] == 3
    if not (is_one_name and are_counts and are_pixels and counts.max() <= len(pixels) == counts.sum()):
        raise InputError(
            f"{path}: holds no reference of stain; expected a method, pixels of three channels and how many each image "
            "gave; run the workflow, or export, again"
        )
    return str(method), np.split(pixels, counts.cumsum()[:-1])


def normalised(image: UInt8[np.ndarray, "height width 3"], normalise: Normaliser) -> Outcome:
    """Normalise an image; where two stains cannot be told apart, or the method fails, it stays as it is.

    The first holds for every method: Reinhard's would otherwise paint a tile of ink in the colours of tissue.
    """
    tissue = tissue_mask(image)
    try:
        before = estimate_stains(image[tissue]).vectors
        result = normalise(image[tissue])(image)
    except EstimateFailed as error:
        return Outcome(image, str(error))
    return Outcome(result, "", before, stain_vectors(result, tissue))


def table_row(name: str, part: str, outcome: Outcome) -> Mapping[str, object]:
    """A row of NORMALISED_COLUMNS; unknown vectors are empty cells."""
    vectors = {"before": outcome.before, "after": outcome.after}
    cells = {
        f"{column}_{when}": None if values is None else f"{values.flat[place]:.4f}"
        for when, values in vectors.items()
        for place, column in enumerate(VECTOR_COLUMNS)
    }
    return {"name": name, "part": part, "state": outcome.state, "reason": outcome.reason, **cells}


def normalisation_findings(table: Sequence[Mapping[str, object]], fold: int) -> list[Finding]:
    """A warning that counts and names the images of a fold that were kept as they are."""
    kept = [str(row["name"]) for row in table if row["state"] == "fallback"]
    if not kept:
        return []
    message = (
        f"{len(kept)} of {len(table)} images ({listed(kept, NAMES_SHOWN)}) could not be normalised and are used as "
        "they are; normalised/table.csv says why; remove them, or normalise nothing"
    )
    return [Finding("warning", "not_normalised", f"fold {fold}", message)]


def write_normalised_index(index: Path, images: Path, digests: Mapping[str, str], target: Path) -> None:
    """Write a copy of index.csv that names the images in folder `images`, with the digests of their pixels.

    Truth stays where it is; all paths become relative to the new table's folder. So whatever reads an index can be
    given normalised images.
    """
    rows = read_table(index)
    for row in rows:
        for column in ("mask", "instances", "second_instances"):
            if row[column]:
                row[column] = _relative(index.parent / row[column], target)
        row["image"] = _relative(images / f"{row['name']}.png", target)
        row["sha256"] = digests[row["name"]]
    write_table(target, INDEX_COLUMNS, rows)


def _relative(path: Path, table: Path) -> str:
    return Path(os.path.relpath(path, table.parent)).as_posix()


def _drawn_tissue(row: IndexRow, count: int, seed: int) -> UInt8[np.ndarray, "drawn 3"]:
    image = read_image(row.image)
    tissue = image[tissue_mask(image)]
    rng = np.random.default_rng(int(_draw(seed, row.name), base=16))
    drawn = tissue[np.sort(rng.choice(len(tissue), min(count, len(tissue)), replace=False))] if len(tissue) else tissue
    estimate_stains(drawn)  # raises EstimateFailed
    return drawn


def _draw(seed: int, name: str) -> str:
    # A hash and not a shuffle: what one image draws depends on no other image.
    return sha256(f"{seed} {name}".encode()).hexdigest()
