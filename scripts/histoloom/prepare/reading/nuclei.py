"""Nucleus ids as datasets store them, made into ids 1 to n that lie on their image."""

from pathlib import Path

import numpy as np
from jaxtyping import Int32
from skimage.measure import label

from histoloom.errors import InputError
from histoloom.formats.images import read_instances


def read_nuclei(path: Path, image: Path, size: tuple[int, int]) -> Int32[np.ndarray, "height width"]:
    """Read the nucleus ids of an image of `size` (height, width); ids may have gaps.

    Raises InputError for a nucleus map of another size, naming both files, for one value in several places, since that
    tells nucleus from background only (as 0 and 255, or 0 and 1), and for what is no grey image of whole numbers.
    """
    ids = read_instances(path)
    if ids.shape != size:
        is_turned = ids.shape == size[::-1]
        raise InputError(
            f"{path}: nucleus map is {ids.shape[0]}x{ids.shape[1]}, its image {image} is {size[0]}x{size[1]}; expected "
            "one size (height x width); "
            + (
                "looks transposed: exchange its rows and columns"
                if is_turned
                else "export both again at one downsample, or remove both"
            )
        )
    values = np.unique(ids[ids > 0])
    if len(values) == 1 and (pieces := int(label(ids, connectivity=2).max())) > 1:
        raise InputError(
            f"{path}: holds only 0 and {values[0]}, in {pieces} places; expected one number for each nucleus; give the "
            "nucleus map, not the mask, or number each nucleus"
        )
    return ids


def numbered(ids: Int32[np.ndarray, "height width"]) -> tuple[Int32[np.ndarray, "height width"], dict[str, int]]:
    """Ids made 1 to n in their own order, and counts: nuclei, ids that changed, and nuclei in several pieces.

    Pieces that touch at a corner are one. A nucleus in several pieces stays one nucleus: what an annotator drew, or
    what a nucleus above it left over, is not ours to part.

    >>> numbered(np.array([[7, 0, 7], [0, 0, 0], [9, 9, 9]], np.int32))[0].tolist()
    [[1, 0, 1], [0, 0, 0], [2, 2, 2]]
    """
    found = np.unique(ids[ids > 0])
    instances = np.where(ids > 0, np.searchsorted(found, ids) + 1, 0).astype(np.int32)
    pieces, first = np.unique(label(instances, connectivity=2), return_index=True)
    owners = instances.ravel()[first[pieces > 0]]
    return instances, {
        "nuclei": len(found),
        "renumbered_nuclei": int((found != np.arange(1, len(found) + 1)).sum()),
        "nuclei_in_pieces": int((np.bincount(owners, minlength=1) > 1).sum()),
    }


def second_opinion(
    path: Path | None, image: Path, truth: Int32[np.ndarray, "height width"]
) -> tuple[Int32[np.ndarray, "height width"] | None, dict[str, int]]:
    """The nuclei of `image` as a second annotator drew them, ids 1 to n, or None where `path` is None; with counts.

    Maps that equal the truth are counted: a copy would pass for perfect agreement.
    Raises InputError as `read_nuclei` does.
    """
    if path is None:
        return None, {"second_opinions": 0, "second_nuclei": 0, "second_opinions_equal_to_truth": 0}
    second, counts = numbered(read_nuclei(path, image, truth.shape))
    return second, {
        "second_opinions": 1,
        "second_nuclei": counts["nuclei"],
        "second_opinions_equal_to_truth": int(np.array_equal(second, truth)),
    }
