"""Reader of PanNuke and of data in its layout: patches with nuclei of five classes, in official folds of .npy arrays.

Accepted in the dataset's folder, upper or lower case: "Fold 1" to "Fold 3", "Fold1" to "Fold3", "fold_1" to "fold_3",
"Part 1" to "Part 3"; and, in small letters without a space, "fold0" to "fold2" counted from 0. Lower-case "foldN" is
counted from 1 only where there is a fold3 and no fold0. In a fold's folder each array lies directly, or in its images/
or masks/ folder, or in a fold folder within those.
"""

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Int32, Num, UInt8

from histoloom.errors import InputError
from histoloom.formats.arrays import open_array, read_texts
from histoloom.formats.images import LARGEST
from histoloom.sample import Dataset, Sample

CLASSES = ("background", "neoplastic", "inflammatory", "connective", "dead", "epithelial")
NUCLEUS_CHANNELS = 5  # the sixth channel, background, is not the complement of the others, so it is not read
FOLD_FOLDER = re.compile(r"(fold|part)([ _-]?)([0-3])", re.IGNORECASE)
UNKNOWN_PATIENTS = (
    "patients cannot be told apart: every patch is its own group, so patches of one patient may lie in both "
    "training and test parts"
)


@dataclass(frozen=True)
class Fold:
    """One official fold: its number 1 to 3, its folder and the paths of its arrays."""

    number: int
    folder: Path
    images: Path
    masks: Path
    types: Path


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
    folds = [_checked(fold) for fold in find_folds(root)]
    facts = {"folds": ", ".join(f"{fold.folder.name} = fold {fold.number}" for fold in folds)}
    return Dataset(
        classes=CLASSES,
        items=[item for fold in folds for item in _items(root, fold, float(mpp))],
        licence=licence,
        citation=citation,
        facts=facts,
        warnings=(*(() if all(map(_has_groups, folds)) else (UNKNOWN_PATIENTS,)), *([note] if note else [])),
    )


def find_folds(root: Path) -> list[Fold]:
    """The official folds under `root`, in order of their number.

    Raises InputError where there is none, where two folders claim one number, or an array is missing or there twice.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; expected PanNuke's folds in it; download them or mend 'root'")
    numbered = _numbers(root)
    if not numbered:
        raise InputError(
            f"{root}: no fold in it; expected folders 'Fold 1' to 'Fold 3', 'Fold1' to 'Fold3' or 'fold0' to 'fold2'; "
            "unpack PanNuke's zips here"
        )
    by_number: dict[int, Path] = {}
    for folder, number in sorted(numbered.items()):
        if not 1 <= number <= 3:
            raise InputError(f"{folder}: would be fold {number}; expected folds 1 to 3; rename it 'Fold 1' to 'Fold 3'")
        if number in by_number:
            raise InputError(
                f"{root}: '{by_number[number].name}' and '{folder.name}' are both fold {number}; expected one folder "
                "for each fold; move one away"
            )
        by_number[number] = folder
    return [_fold(number, folder) for number, folder in sorted(by_number.items())]


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


def _numbers(root: Path) -> dict[Path, int]:
    matches = {folder: FOLD_FOLDER.fullmatch(folder.name) for folder in root.iterdir() if folder.is_dir()}
    names = {folder.name for folder in matches}
    counted_from_zero = "fold0" in names or "fold3" not in names
    return {
        folder: int(match[3]) + (counted_from_zero and match[1] + match[2] == "fold")
        for folder, match in matches.items()
        if match
    }


def _fold(number: int, folder: Path) -> Fold:
    places = [folder]
    for part in _folders(folder, re.compile("images|masks", re.IGNORECASE)):
        places += [part, *_folders(part, FOLD_FOLDER)]
    return Fold(number, folder, *(_array(folder, places, f"{kind}.npy") for kind in ("images", "masks", "types")))


def _folders(parent: Path, pattern: re.Pattern) -> list[Path]:
    return sorted(path for path in parent.iterdir() if path.is_dir() and pattern.fullmatch(path.name))


def _array(folder: Path, places: list[Path], name: str) -> Path:
    found = [place / name for place in places if (place / name).is_file()]
    if not found:
        raise InputError(
            f"{folder}: no {name}; expected it as in 'images/fold1/images.npy', 'images/images.npy' or 'images.npy'; "
            "unpack the fold's zip again"
        )
    if len(found) > 1:
        listed = " and ".join(str(path.relative_to(folder)) for path in found)
        raise InputError(f"{folder}: {name} is there {len(found)} times ({listed}); expected it once; move one away")
    return found[0]


def _row(path: Path, row: int) -> np.ndarray:
    # Opened anew for each patch: a map kept open would let all pages read so far count as memory of the process.
    return np.array(open_array(path)[row])


def _checked(fold: Fold) -> Fold:
    images, masks, types = open_array(fold.images), open_array(fold.masks), open_array(fold.types)
    for path, array, channels in ((fold.images, images, 3), (fold.masks, masks, NUCLEUS_CHANNELS + 1)):
        if array.ndim != 4 or array.shape[3] != channels or array.dtype.kind not in "fiu":
            raise InputError(
                f"{path}: {array.dtype} array of shape {array.shape}; expected numbers of shape "
                f"(patches, height, width, {channels}); download the file again"
            )
    if types.ndim != 1 or types.dtype.kind != "U":
        raise InputError(
            f"{fold.types}: {types.dtype} array of shape {types.shape}; expected one tissue name for each patch; "
            "download the file again"
        )
    if not len(images) == len(masks) == len(types):
        raise InputError(
            f"{fold.folder}: arrays of unequal length: images.npy {len(images)}, masks.npy {len(masks)}, types.npy "
            f"{len(types)}; expected one row for each patch in all three; download the fold again"
        )
    if _has_groups(fold) and open_array(_groups(fold)).shape != types.shape:
        raise InputError(
            f"{_groups(fold)}: shape {open_array(_groups(fold)).shape}; expected one group for each of {len(types)} "
            "patches; write it again or remove it"
        )
    if images.shape[1:3] != masks.shape[1:3]:
        raise InputError(
            f"{fold.masks}: mask is {masks.shape[1:3]}, image is {images.shape[1:3]}; expected one size; "
            "download the fold again"
        )
    return fold


def _items(root: Path, fold: Fold, mpp: float) -> list[partial[Sample]]:
    tissues = read_texts(fold.types)
    groups = read_texts(_groups(fold)) if _has_groups(fold) else [""] * len(tissues)
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


def _groups(fold: Fold) -> Path:
    return fold.types.with_name("groups.npy")


def _has_groups(fold: Fold) -> bool:
    return _groups(fold).is_file()


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
