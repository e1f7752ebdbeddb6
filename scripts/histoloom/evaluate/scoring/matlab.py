"""Arrays of numbers in MATLAB's .mat files of version 5, read without trust in the file.

SciPy's reader crashes on some damaged files, builds whatever nest of cells and objects one holds, and takes the memory
that a packed variable asks for. What is read here are plain arrays, and how far a file unpacks is bounded.

Source: MathWorks, MAT-File Format, R2019b, "Level 5 MAT-File Format".
"""

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from histoloom.errors import InputError
from histoloom.limits import limit, raising

HEADER_BYTES = 128
ORDERS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}  # how the header of version 5 ends
MATRIX, COMPRESSED = 14, 15
# By the number of a type of stored data.
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
NUMBERS = range(6, 16)  # classes of arrays: double, single, and integers of 8 to 64 bits
OTHERS = {1: "cell", 2: "struct", 3: "object", 4: "char", 5: "sparse", 16: "function", 17: "opaque"}
OPAQUE = 17  # without the dimensions that all others have before their name
IS_COMPLEX = 0x800
BYTES_A_PIXEL = 32  # unpacked: numbers of 8 bytes, for the two maps and as much again for what else is in the file


def read_matlab(path: Path, names: Collection[str]) -> dict[str, np.ndarray | None]:
    """The arrays of the given names, as far as the file has them, and of all others the name with None.

    Raises InputError for what is no whole .mat file of version 5, for one that unpacks to more than 32 bytes for each
    of limits.image_pixels, and for variables of these names that are no arrays of real numbers.
    """
    try:
        with path.open("rb") as file:
            return dict(_variables(path, file, names))
    except (OSError, ValueError, OverflowError, IndexError, struct.error, zlib.error) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise InputError(
            f"{path}: cannot be read as a .mat file ({reason}); expected one of version 5; save it again"
        ) from error


def _variables(path: Path, file: BinaryIO, names: Collection[str]) -> Iterator[tuple[str, np.ndarray | None]]:
    order = ORDERS.get(file.read(HEADER_BYTES)[124:])
    if order is None:
        raise ValueError("its header is another one")
    most = left = BYTES_A_PIXEL * limit("image_pixels")
    while tag := file.read(8):
        kind, size = struct.unpack(f"{order}II", tag)
        if file.tell() + size > path.stat().st_size:
            raise ValueError("it breaks off: truncated")
        body = _unpacked(file.read(size), order, left) if kind == COMPRESSED else file.read(min(size, left + 1))
        left -= len(body)
        if left < 0:
            raise InputError(
                f"{path}: unpacks to more than {most:,} bytes; expected less, {BYTES_A_PIXEL} for a pixel; check the "
                f"file, or {raising('image_pixels')}"
            )
        name, array = _variable(path, memoryview(body), order, names)
        if name:  # what has none is MATLAB's own
            yield name, array


def _unpacked(data: bytes, order: str, most: int) -> bytes:
    """The matrix in packed data; where it is larger than `most`, its beginning, one byte more than that."""
    unpacker = zlib.decompressobj()
    element = unpacker.decompress(data, most + 9)
    kind, size = struct.unpack_from(f"{order}II", element)
    if kind != MATRIX or (len(element) < 8 + size and unpacker.eof):
        raise ValueError("a packed variable is damaged")
    return element[8:]


def _variable(path: Path, body: memoryview, order: str, names: Collection[str]) -> tuple[str, np.ndarray | None]:
    parts = list(_parts(body, order))
    (flags,) = struct.unpack_from(f"{order}I", parts[0][1])
    name = str(parts[1 if flags & 0xFF == OPAQUE else 2][1], "ascii")
    if name not in names:
        return name, None
    if flags & 0xFF not in NUMBERS or flags & IS_COMPLEX:
        kind = OTHERS.get(flags & 0xFF, "complex")
        raise InputError(f"{path}: {name} is {kind}; expected an array of real numbers; save the array itself")
    shape = np.frombuffer(parts[1][1], f"{order}i4").tolist()
    kind, data = parts[3] if len(parts) > 3 else (9, memoryview(b""))
    dtype = np.dtype(f"{order}{TYPES.get(kind, 'V')}")
    if dtype.kind == "V" or min(shape, default=-1) < 0 or math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f"{name} is damaged")
    return name, np.ndarray(shape, dtype, data, order="F")


def _parts(body: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Type and data of the elements of a matrix; those of up to 4 bytes stand within their tag."""
    start = 0
    while start < len(body):
        kind, size = struct.unpack_from(f"{order}II", body, start)
        first, following = start + 8, start + 8 + -(-size // 8) * 8
        if kind >> 16:
            kind, size, first, following = kind & 0xFFFF, kind >> 16, start + 4, start + 8
        if first + size > min(following, len(body)):
            raise ValueError("it breaks off: truncated")
        yield kind, body[first : first + size]
        start = following
