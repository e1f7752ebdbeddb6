"""Masks and label images: one file an image, as PNG, TIFF or a .npy array of two dimensions."""

from pathlib import Path

import numpy as np
from jaxtyping import Int32, UInt8
from skimage.measure import label

from histoloom.errors import InputError
from histoloom.evaluate.counting.overlap_table import relabel
from histoloom.evaluate.scoring.listing import ARRAY, key, partner
from histoloom.evaluate.scoring.maps import Maps, painted
from histoloom.evaluate.scoring.reading import Reading
from histoloom.formats.arrays import check_image_size, open_array
from histoloom.formats.images import LARGEST, read_instances, read_mask
from histoloom.prepare.reading.class_codes import class_indices
from histoloom.prepare.reading.class_masks import read_class_mask
from histoloom.sample import IGNORE


def read_classes(path: Path, reading: Reading) -> Maps:
    """Read a class mask: class indices, or what `reading.codes` list; 255 is "not annotated", of the truth alone.

    Raises InputError for other values, and for what is no mask.
    """
    return Maps(class_mask(path, reading))


def class_mask(path: Path, reading: Reading) -> UInt8[np.ndarray, "height width"]:
    """Class indices of a mask file."""
    is_array = path.suffix.lower() == ARRAY
    if reading.codes is not None:
        return _decoded(path, reading) if is_array else read_class_mask(path, reading.codes)[0]
    values = _whole_numbers(path) if is_array else read_mask(path)
    is_wrong = (values >= len(reading.classes)) & ((values != IGNORE) | (not reading.is_truth))
    if is_wrong.any():
        wrong = np.unique(values[is_wrong])
        raise InputError(
            f"{path}: holds {', '.join(map(str, wrong[:5]))}; expected {reading.listed}"
            f"{' or 255 (not annotated)' if reading.is_truth else ''}; say what its values mean with --class-values, "
            f"or, if they number nuclei, --{reading.side}-format labels"
        )
    return values.astype(np.uint8)


def read_labels(path: Path, name: str, reading: Reading) -> Maps:
    """Read a label image, and the classes of its nuclei from the table or the masks that `reading` has.

    With masks alone each nucleus has the class of most of its pixels; with both, the table's class. With neither, there
    has to be one class. Raises InputError for nuclei that the table lacks, and masks of another size.
    """
    instances = nucleus_ids(path)
    classes = None
    if reading.table is not None or reading.masks is None:
        classes = _classes(path, name, instances, reading)
    if reading.masks is None:
        return Maps(painted(instances, classes), instances, classes)
    mask_path = partner(reading.masks, name, f"--{reading.side}-masks")
    mask = class_mask(mask_path, reading)
    if mask.shape != instances.shape:
        raise InputError(f"{mask_path}: mask is {mask.shape}, {path} is {instances.shape}; expected one size")
    return Maps(mask, instances, classes)


def nucleus_ids(path: Path) -> Int32[np.ndarray, "height width"]:
    """Nucleus ids of a label image or array, as they are.

    Raises InputError for what is no map of ids, and for 0 and 255 in several places, which is a mask.
    """
    ids = _whole_numbers(path).astype(np.int32) if path.suffix.lower() == ARRAY else read_instances(path)
    if ids.max(initial=0) == 255 and len(relabel(ids)[0]) == 1 and (pieces := int(label(ids > 0).max())) > 1:
        raise InputError(
            f"{path}: holds only 0 and 255, in {pieces} places; expected one number for each nucleus; number them, or "
            "score it as a mask with --class-values background=0 nucleus=255"
        )
    return ids


def _classes(path: Path, name: str, instances: Int32[np.ndarray, "height width"], reading: Reading) -> dict[int, int]:
    ids = relabel(instances)[0].tolist()
    if reading.table is None:
        if len(reading.classes) != 2:
            raise InputError(
                f"{path}: label images say no classes; expected a class for each nucleus among {reading.listed}; give "
                f"--{reading.side}-table or --{reading.side}-masks, or score --classes background nucleus"
            )
        return dict.fromkeys(ids, 1)
    found = reading.table.get(key(name), {})
    if missing := [number for number in ids if number not in found]:
        raise InputError(
            f"{path}: nucleus {missing[0]} has no class in --{reading.side}-table; expected one for each of its "
            f"{len(ids)} nuclei, of which {len(missing)} lack it; add them"
        )
    return {number: found[number] for number in ids}


def _whole_numbers(path: Path) -> np.ndarray:
    array = open_array(path)
    if array.ndim != 2 or array.dtype.kind not in "iub":
        raise InputError(
            f"{path}: {array.dtype} of shape {array.shape}; expected whole numbers (height, width); save it as such"
        )
    check_image_size(path, *array.shape)
    if array.size and (array.min() < 0 or array.max() > LARGEST):
        raise InputError(f"{path}: values {array.min()} to {array.max()}; expected 0 to {LARGEST}; save it as such")
    return np.asarray(array)


def _decoded(path: Path, reading: Reading) -> UInt8[np.ndarray, "height width"]:
    mask, others = class_indices(_whole_numbers(path).astype(np.int32), reading.codes, IGNORE)
    if others:
        raise InputError(f"{path}: holds {next(iter(others))}; expected {reading.codes.listed()}; list it too")
    return mask
