"""NumPy's .npy files: opened without reading them into memory, and refused where they are damaged."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from histoloom.errors import InputError
from histoloom.limits import limit, raising

MAGIC = b"\x93NUMPY"


def open_array(path: Path) -> np.ndarray:
    """The array of a .npy file as a read-only memory map.

    Raises InputError for what is no whole .npy file, and for pickled objects, which could run code.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
        if start != MAGIC:  # np.load would also open zip archives, and leaves damaged ones open
            raise ValueError(f"it starts with {start!r}" if start else "the file is empty")
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if more := path.stat().st_size - array.offset - array.nbytes:  # its header was damaged, or two files are one
            raise ValueError(f"{more} bytes more than its header says")
    except Exception as error:  # NumPy raises some ten kinds for damaged headers, TokenError and OverflowError too
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise InputError(f"{path}: cannot be read as a .npy array ({reason}); download the file again") from error
    return array


def save_array(path: Path, array: np.ndarray) -> None:
    """Write a .npy file, and raise OSError where not all of it could be written.

    np.save hands arrays to the C library, which may lose the last 4 KiB on a full disk without a word.
    """
    with path.open("wb") as file:
        # What has no file number is written by Python, piece by piece.
        np.lib.format.write_array(SimpleNamespace(write=file.write), array, allow_pickle=False)


def check_image_size(path: Path, height: int, width: int) -> None:
    """Refuse images of more than limits.image_pixels, with an InputError: a header may state any, and take its room."""
    if height * width > (most := limit("image_pixels")):
        raise InputError(
            f"{path}: images of {width:,} x {height:,} pixels; expected at most {most:,} in one; cut them into tiles, "
            f"or {raising('image_pixels')}"
        )


def read_texts(path: Path) -> list[str]:
    """The values of a .npy file of one dimension, texts or whole numbers, as texts.

    Raises InputError as `open_array` does, for more than limits.text_mib, for other values, and for what is no
    character, which no table could hold.
    """
    array = open_array(path)
    if array.nbytes > (most := limit("text_mib") * 2**20):
        raise InputError(
            f"{path}: has more than {most >> 20} MiB; expected less, since it is read whole; check the file, or "
            f"{raising('text_mib')}"
        )
    try:
        if array.dtype.kind not in "Uiu":
            raise ValueError(f"values of type {array.dtype}")
        texts = [str(value) for value in array]
        "".join(texts).encode()  # fails for half of a surrogate pair
    except (ValueError, SystemError) as error:  # the latter for numbers far beyond Unicode
        raise InputError(
            f"{path}: holds what is no text ({error}); expected a name in each place; write or download the file again"
        ) from error
    return texts
