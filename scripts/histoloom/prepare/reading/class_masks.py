"""Reading a mask file whose greys or colours stand for classes, and refusing what cannot be told for sure."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from jaxtyping import Int32, UInt8

from histoloom.errors import InputError
from histoloom.formats.images import read_colours, read_instances, read_mask
from histoloom.prepare.reading.class_codes import UNLISTED, ClassCodes, class_indices, looks_compressed, packed

VALUES_SHOWN = 5


def read_class_mask(
    path: Path, codes: ClassCodes, unlisted: str = "refuse"
) -> tuple[UInt8[np.ndarray, "height width"], int]:
    """Class indices of a mask file, and the number of its pixels whose value `codes` do not list.

    Raises InputError for a file that is no mask, colours where greys are expected and the reverse, what JPEG left
    beside the codes, and (where `unlisted` is "refuse") other values without code.
    """
    values = _colours(path, codes) if codes.is_coloured else _greys(path, codes)
    mask, others = class_indices(values, codes, UNLISTED[unlisted])
    found = f"{path}: {sum(others.values())} of {mask.size} pixels hold {len(others)} values that 'classes' do not list"
    if looks_compressed(others, codes):
        raise InputError(
            f"{found}, most pixels close to its codes, as JPEG or smooth resizing leaves them; expected only "
            f"{codes.listed()}; export the mask anew as PNG: a copy of a JPEG keeps the damage"
        )
    if others and unlisted == "refuse":
        raise InputError(
            f"{found}: {_most_frequent(others, codes.written)}; expected {codes.listed()}; list them (under the name "
            "ignore where nobody annotated), or set 'unlisted' to ignore or background"
        )
    return mask, sum(others.values())


def _colours(path: Path, codes: ClassCodes) -> Int32[np.ndarray, "height width"]:
    colours = read_colours(path)
    values = packed(colours)
    others = {value: pixels for value, pixels in _tally(values).items() if value not in codes.targets}
    # One grey without code may be where nobody drew; several greys and no colour are a mask of another kind.
    if len(others) > 1 and (colours == colours[..., :1]).all():
        greys = _most_frequent(_tally(values & 255), str)
        raise InputError(
            f"{path}: is grey, with the values {greys}; expected the colours {codes.listed()}; give its greys in "
            "'classes', as in necrosis=255, or export the mask in colour"
        )
    return values


def _greys(path: Path, codes: ClassCodes) -> Int32[np.ndarray, "height width"]:
    try:
        return read_mask(path).astype(np.int32)
    except InputError as error:
        return _unusual(path, codes, error)


def _unusual(path: Path, codes: ClassCodes, error: InputError) -> Int32[np.ndarray, "height width"]:
    """Codes beyond 255, or a refusal that shows the colours of a mask which should have none; else raises `error`."""
    with suppress(InputError):
        return read_instances(path)
    with suppress(InputError):
        tally = _tally(packed(read_colours(path)))
        shown = _most_frequent(tally, "#{:06x}".format)
        error = InputError(
            f"{path}: is coloured, with {len(tally)} colours: {shown}; expected the greys {codes.listed()}; give its "
            "colours in 'classes', as in necrosis=#ff0000, or export the mask in grey"
        )
    raise error


def _tally(values: Int32[np.ndarray, "height width"]) -> dict[int, int]:
    found, pixels = np.unique(values, return_counts=True)
    return dict(zip(found.tolist(), pixels.tolist(), strict=True))


def _most_frequent(tally: Mapping[int, int], written: Callable[[int], str]) -> str:
    shown = Counter(tally).most_common(VALUES_SHOWN)
    return ", ".join(f"{written(value)} ({pixels} px)" for value, pixels in shown) + (
        ", ..." if len(tally) > VALUES_SHOWN else ""
    )
