"""NumPy's .npy files: opened without reading them into memory, and refused where they are damaged."""

from pathlib import Path

import numpy as np

from histoloom.errors import InputError

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


def read_texts(path: Path) -> list[str]:
    """The values of a .npy file of one dimension, texts or whole numbers, as texts.

    Raises InputError as `open_array` does, for other values, and for what is no character, which no table could hold.
    """
    array = open_array(path)
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
