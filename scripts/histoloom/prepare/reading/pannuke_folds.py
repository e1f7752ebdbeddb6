"""Where the arrays of PanNuke's official folds lie, and whether they belong together.

Accepted in the dataset's folder, upper or lower case: "Fold 1" to "Fold 3", "Fold1" to "Fold3", "fold_1" to "fold_3",
"Part 1" to "Part 3"; and, in small letters without a space, "fold0" to "fold2" counted from 0. Lower-case "foldN" is
counted from 1 only where there is a fold3 and no fold0. In a fold's folder each array lies directly, or in its images/
or masks/ folder, or in a fold folder within those.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from histoloom.errors import InputError
from histoloom.formats.arrays import check_image_size, open_array

NUCLEUS_CHANNELS = 5  # the sixth channel, background, is not the complement of the others, so it is not read
FOLD_FOLDER = re.compile(r"(fold|part)([ _-]?)([0-3])", re.IGNORECASE)


@dataclass(frozen=True)
class Fold:
    """One official fold: its number 1 to 3, its folder and the paths of its arrays."""

    number: int
    folder: Path
    images: Path
    masks: Path
    types: Path

    @property
    def groups(self) -> Path | None:
        """The array that names the patient or slide of each patch, where there is one."""
        path = self.types.with_name("groups.npy")
        return path if path.is_file() else None


def find_folds(root: Path) -> list[Fold]:
    """The official folds under `root`, in order of their number.

    Raises InputError where there is none, where two folders claim one number, where an array is missing or there twice,
    and for arrays of unequal length or wrong shape.
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
    return [_checked(_fold(number, folder)) for number, folder in sorted(by_number.items())]


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


def _checked(fold: Fold) -> Fold:
    images, masks, types = open_array(fold.images), open_array(fold.masks), open_array(fold.types)
    for path, array, channels in ((fold.images, images, 3), (fold.masks, masks, NUCLEUS_CHANNELS + 1)):
        if array.ndim != 4 or array.shape[3] != channels or array.dtype.kind not in "fiu":
            raise InputError(
                f"{path}: {array.dtype} array of shape {array.shape}; expected numbers of shape "
                f"(patches, height, width, {channels}); download the file again"
            )
        check_image_size(path, *array.shape[1:3])
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
    if fold.groups and (shape := open_array(fold.groups).shape) != types.shape:
        raise InputError(
            f"{fold.groups}: shape {shape}; expected one group for each of {len(types)} "
            "patches; write it again or remove it"
        )
    if images.shape[1:3] != masks.shape[1:3]:
        raise InputError(
            f"{fold.masks}: mask is {masks.shape[1:3]}, image is {images.shape[1:3]}; expected one size; "
            "download the fold again"
        )
    return fold
