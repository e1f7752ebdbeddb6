"""Arrays of other programs: PanNuke's masks of many images, probabilities, and the .mat files of HoVer-Net."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from histoloom.datasets.pannuke import CLASSES as PANNUKE_CLASSES
from histoloom.datasets.pannuke import masks_of
from histoloom.errors import InputError
from histoloom.evaluate.counting.overlap_table import relabel
from histoloom.evaluate.scoring.maps import Maps, painted
from histoloom.evaluate.scoring.matlab import read_matlab
from histoloom.evaluate.scoring.reading import Reading
from histoloom.formats.arrays import check_image_size, open_array
from histoloom.formats.images import LARGEST
from histoloom.predict.probabilities import quantised
from histoloom.prepare.reading.pannuke_folds import NUCLEUS_CHANNELS

CHANNELS = NUCLEUS_CHANNELS + 1  # the last is background
ONE_CLASS = 2  # with the background: then all nuclei are of the one class, whatever their file says
HOVERNET_NAMES = ("inst_map", "type_map", "inst_type", "inst_uid")
SUM_TOLERANCE = 0.01  # probabilities stored as float16 add up to 1 within 0.003


def pannuke_rows(path: Path, reading: Reading) -> int:
    """Number of images in an array of PanNuke's form, (images, height, width, 6).

    Raises InputError for another form, and for classes other than five beside the background, or one for them all.
    """
    array = open_array(path)
    if array.ndim != 4 or array.shape[3] != CHANNELS or array.dtype.kind not in "fiu":
        lacks = array.ndim == 4 and array.shape[3] == NUCLEUS_CHANNELS
        cure = "add the background as the last channel" if lacks else "save it so, or give a folder of files"
        raise InputError(
            f"{path}: {array.dtype} of shape {array.shape}; expected numbers (images, height, width, {CHANNELS}), "
            f"nucleus ids in a channel for each of {', '.join(PANNUKE_CLASSES[1:])}, then the background; {cure}"
        )
    check_image_size(path, *array.shape[1:3])
    if len(reading.classes) not in (ONE_CLASS, CHANNELS):
        raise InputError(
            f"--classes: {len(reading.classes)} classes, {path} has {CHANNELS}; expected as many, in the order "
            f"{', '.join(PANNUKE_CLASSES)}; give them all, or background and one more for all nuclei"
        )
    return len(array)


def read_pannuke(path: Path, row: int, reading: Reading) -> Maps:
    """Read one row: a pixel in several channels is of the highest, as the reader `pannuke` has it.

    Where `reading` has one class beside the background, all nuclei are of it.
    Raises InputError for values that are no ids.
    """
    stored = np.asarray(open_array(path)[row])[..., :NUCLEUS_CHANNELS]
    with np.errstate(invalid="ignore"):  # of NaN and of what is too large, which the comparison finds
        channels = stored.astype(np.int32)
    if (channels != stored).any() or channels.min(initial=0) < 0:
        raise InputError(
            f"{path}: row {row} holds {stored.min():g} to {stored.max():g}; expected nucleus ids, whole numbers "
            f"from 0 to {LARGEST}; write instances, not probabilities"
        )
    mask, instances, _, _ = masks_of(channels)
    return Maps(np.minimum(mask, len(reading.classes) - 1), instances)


def read_probabilities(path: Path, reading: Reading) -> Maps:
    """Read class probabilities (height, width, classes), in [0, 1] or as bytes; the largest is the class.

    Of equal ones the first. Those of a pixel have to add up to 1. Raises InputError for other shapes and values.
    """
    array, count = open_array(path), len(reading.classes)
    if array.ndim != 3 or array.shape[2] != count or array.dtype.kind not in "fu" or not array.size:
        is_first = array.ndim == 3 and array.shape[0] == count
        cure = "move the classes to the last axis: numpy.moveaxis(p, 0, -1)" if is_first else "one channel for each"
        raise InputError(
            f"{path}: {array.dtype} of shape {array.shape}; expected float or uint8 (height, width, {count}), the "
            f"classes {reading.listed}; {cure}"
        )
    check_image_size(path, *array.shape[:2])
    values = np.asarray(array)
    if values.dtype.kind == "u":
        if values.dtype != np.uint8:
            raise InputError(f"{path}: {values.dtype}; expected uint8 (255 is 1) or float; save it as one of them")
        _check_sum(path, values.astype(np.float32) / 255, count / 2 / 255)
        return Maps(values.argmax(axis=2).astype(np.uint8), probabilities=values)
    values = values.astype(np.float32)
    _check_sum(path, values, SUM_TOLERANCE)
    return Maps(values.argmax(axis=2).astype(np.uint8), probabilities=quantised(values))


def read_hovernet(path: Path, reading: Reading) -> Maps:
    """Read `inst_map` of a .mat file, with `type_map` or `inst_type`, whose numbers are class indices.

    `inst_type` has rows (id, type), or one type for each id of `inst_uid`, or of the map in ascending order. Ids that
    it lacks, which HoVer-Net could not outline, count among all nuclei and in no class. Where `reading` has one class
    beside the background, all nuclei are of it, which a file without types needs.
    Raises InputError for files that are damaged or lack inst_map, and for types that are no class.

    Source: Graham et al., HoVer-Net, Medical Image Analysis 2019, and what its authors' program writes.
    """
    stored = _matlab(path)
    instances = _integers(path, stored, "inst_map", LARGEST).astype(np.int32)
    ids = relabel(instances)[0].tolist()
    if len(reading.classes) == ONE_CLASS:
        classes = dict.fromkeys(ids, 1)
    elif "type_map" in stored:
        mask = _integers(path, stored, "type_map", len(reading.classes) - 1, reading.listed).astype(np.uint8)
        if mask.shape != instances.shape:
            raise InputError(f"{path}: type_map is {mask.shape}, inst_map is {instances.shape}; expected one size")
        return Maps(mask, instances)
    elif "inst_type" in stored:
        classes = dict.fromkeys(ids, 0) | _types(path, stored, ids, reading)
    else:
        raise InputError(
            f"{path}: has neither type_map nor inst_type; expected the classes {reading.listed}; score "
            "--classes background nucleus"
        )
    return Maps(painted(instances, classes), instances, classes)


def _types(path: Path, stored: dict[str, Any], ids: list[int], reading: Reading) -> dict[int, int]:
    types = np.asarray(stored["inst_type"])
    if types.size == 0:  # no nucleus at all: the array has lost its columns
        return {}
    if "inst_uid" in stored:
        listed, values = np.asarray(stored["inst_uid"]).ravel(), types.ravel()
    elif types.ndim == 2 and types.shape[1] == 2:
        listed, values = types.T
    else:
        listed, values = np.array(ids), types.ravel()
    if len(listed) != len(values):
        raise InputError(f"{path}: inst_type has {len(values)} types for {len(listed)} nuclei; expected one for each")
    if wrong := [value for value in values.tolist() if value not in range(len(reading.classes))]:
        raise InputError(
            f"{path}: inst_type holds {wrong[0]}; expected {reading.listed}; give all of them as --classes"
        )
    return {int(number): int(value) for number, value in zip(listed, values, strict=True)}


def _matlab(path: Path) -> dict[str, Any]:
    stored = read_matlab(path, HOVERNET_NAMES)
    if "inst_map" not in stored:
        raise InputError(
            f"{path}: holds {', '.join(stored) or 'nothing'}; expected inst_map; give the folder 'mat' of HoVer-Net's "
            "output"
        )
    return stored


def _integers(path: Path, stored: dict[str, Any], name: str, largest: int, listed: str = "nucleus ids") -> np.ndarray:
    values = np.asarray(stored[name])
    if values.ndim != 2 or values.dtype.kind not in "iufb":
        raise InputError(f"{path}: {name} is {values.dtype} of shape {values.shape}; expected numbers (height, width)")
    if values.size and not (values.min() >= 0 and values.max() <= largest and (values % 1 == 0).all()):
        raise InputError(f"{path}: {name} holds {values.min():g} to {values.max():g}; expected {listed}")
    return values


def _check_sum(path: Path, values: Float[np.ndarray, "height width classes"], tolerance: float) -> None:
    total = values.sum(axis=2)
    low, high = float(total.min()), float(total.max())
    if not (values.min() >= 0 and abs(low - 1) <= tolerance + 1e-6 and abs(high - 1) <= tolerance + 1e-6):
        raise InputError(
            f"{path}: values {values.min():.3g} to {values.max():.3g}, which add up to {low:.3g} to {high:.3g} in a "
            "pixel; expected probabilities that add up to 1; apply a softmax, or save the classes as masks"
        )
