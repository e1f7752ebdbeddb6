"""Reader of PanNuke and of data in its layout: patches with nuclei of five classes, in official folds of .npy arrays.

The names of folders that are accepted stand in prepare/reading/pannuke_folds.py.
"""

from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int32, Num, UInt8

from histoloom.errors import InputError
from histoloom.formats.arrays import open_array, read_texts
from histoloom.formats.images import LARGEST
from histoloom.prepare.reading.pannuke_folds import NUCLEUS_CHANNELS, Fold, find_folds
from histoloom.sample import Dataset, Sample

CLASSES = ("background", "neoplastic", "inflammatory", "connective", "dead", "epithelial")
UNKNOWN_PATIENTS = (
    "patients cannot be told apart: every patch is its own group, so patches of one patient may lie in both "
    "training and test parts"
)


def pannuke(
    root: Path,
    *,
    mpp: float = 0.25,
    licence: str = "CC BY-NC-SA 4.0",
    citation: str = "Gamper et al., PanNuke Dataset Extension, Insights and Baselines, arXiv:2003.10778 (2020)",
    note: str = "",
) -> Dataset:
    """Read the folds that exist under `root`, one patch in memory at a time, through memory-mapped arrays.

    The mask comes from nucleus channels 0 to 4 alone; a pixel in several channels takes the highest (as the
    conversions behind HoVer-Net's and CellViT's published figures do), and the samples count such pixels and the nuclei
    they hide. What is in none of the five is background; pixels that the background channel lacks too are counted.
    Ids are made 1 to n for each patch. PanNuke does not tell its patients apart; where a fold has
    groups.npy beside types.npy (the patient or slide of each patch, as text), those are the groups, else each patch
    is one. `mpp` is in micrometres per pixel. `licence`, `citation` and `note` (a warning carried into the report)
    are for other data kept in this layout.
    Raises InputError for a missing folder, arrays of unequal length or wrong shape, and values outside their range.

    Source: Gamper et al. 2020, arXiv:2003.10778.
    """
    folds = find_folds(root)
    facts = {"folds": ", ".join(f"{fold.folder.name} = fold {fold.number}" for fold in folds)}
    return Dataset(
        classes=CLASSES,
        items=[item for fold in folds for item in _items(root, fold, float(mpp))],
        licence=licence,
        citation=citation,
        facts=facts,
        warnings=(*(() if all(fold.groups for fold in folds) else (UNKNOWN_PATIENTS,)), *([note] if note else [])),
    )


def masks_of(
    channels: Num[np.ndarray, "height width 5"],
) -> tuple[UInt8[np.ndarray, "height width"], Int32[np.ndarray, "height width"], int, int]:
    """Class indices, ids 1 to n, the number of pixels in several channels and the number of nuclei they hide whole.

    The highest channel that holds an id wins a pixel.

    >>> channels = np.zeros((1, 3, 5))
    >>> channels[0, :, 0], channels[0, 2, 4] = [7, 9, 9], 7
    >>> mask, instances, double, hidden = masks_of(channels)
    >>> mask.tolist(), instances.tolist(), double, hidden
    ([[1, 1, 5]], [[1, 2, 3]], 1, 0)
    """
    present = channels > 0
    top = NUCLEUS_CHANNELS - 1 - present[..., ::-1].argmax(-1)
    is_nucleus = present.any(-1)
    ids = np.take_along_axis(channels, top[..., None], -1)[..., 0].astype(np.int64)
    keys = np.where(is_nucleus, top * (ids.max(initial=0) + 1) + ids, 0)
    found = np.unique(keys[is_nucleus])
    instances = np.where(is_nucleus, np.searchsorted(found, keys) + 1, 0).astype(np.int32)
    drawn = sum(len(np.unique(channels[..., channel][present[..., channel]])) for channel in range(NUCLEUS_CHANNELS))
    mask = np.where(is_nucleus, top + 1, 0).astype(np.uint8)
    return mask, instances, int((present.sum(-1) > 1).sum()), drawn - len(found)


def _row(path: Path, row: int) -> np.ndarray:
    # Opened anew for each patch: a map kept open would let all pages read so far count as memory of the process.
    return np.array(open_array(path)[row])


def _items(root: Path, fold: Fold, mpp: float) -> list[partial[Sample]]:
    tissues = read_texts(fold.types)
    groups = read_texts(fold.groups) if fold.groups else [""] * len(tissues)
    return [
        partial(_sample, root, fold, row, mpp, tissue, group)
        for row, (tissue, group) in enumerate(zip(tissues, groups, strict=True))
    ]


def _sample(root: Path, fold: Fold, row: int, mpp: float, tissue: str, group: str) -> Sample:
    channels = _ids(fold.masks, row)
    mask, instances, double, hidden = masks_of(channels[..., :NUCLEUS_CHANNELS])
    name = f"fold{fold.number}_{row:05d}"
    return Sample(
        name,
        _pixels(fold.images, row),
        mask,
        instances,
        mpp,
        group or name,
        tissue,
        fold.number,
        source=f"{fold.images.relative_to(root).as_posix()} row {row}",
        counts={
            "double_pixels": double,
            "hidden_nuclei": hidden,
            "pixels_in_no_channel": int((~channels.any(-1)).sum()),
        },
    )


def _pixels(path: Path, row: int) -> UInt8[np.ndarray, "height width 3"]:
    values = _row(path, row)
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 255):  # written so that NaN is refused too
        raise InputError(
            f"{path}: row {row} holds pixel values {low:g} to {high:g}; expected 0 to 255; scale the images to 8 bit"
        )
    if 0 < high <= 1 and (values % 1).any():
        raise InputError(
            f"{path}: row {row} holds pixel values {low:g} to {high:g}; expected 0 to 255; multiply the images by 255"
        )
    return np.rint(values).astype(np.uint8)


def _ids(path: Path, row: int) -> np.ndarray:
    channels = _row(path, row)
    ids = channels[..., :NUCLEUS_CHANNELS]
    if not np.isfinite(channels).all() or (ids < 0).any() or (ids > LARGEST).any() or (ids % 1).any():
        raise InputError(
            f"{path}: row {row} holds ids {ids.min():g} to {ids.max():g}; expected whole numbers from 0 to {LARGEST}; "
            "download the file again"
        )
    return channels
