"""NumPy's .npz files: archives of arrays, unpacked no further than what is read whole may be large."""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from histoloom.errors import InputError
from histoloom.limits import limit, raising

PACKED_BY = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what NumPy writes; others are unpacked without end
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_packed(path: Path, names: Sequence[str]) -> list[np.ndarray]:
    """The arrays of these names in a .npz file.

    Raises InputError for what is no such file, for pickled objects, and for more than limits.text_mib unpacked.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [archive.getinfo(f"{name}.npy") for name in names]
            _require_little(path, sum(member.file_size for member in members))
            return [_array(archive, member) for member in members]
    except InputError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise some ten kinds for what is damaged
        raise InputError(
            f"{path}: cannot be read as a .npz file ({type(error).__name__}: {str(error)!a:.100}); expected arrays "
            f"{', '.join(names)}; copy it again"
        ) from error


def _require_little(path: Path, unpacked: int) -> None:
    if unpacked > (most := limit("text_mib") * 2**20):
        raise InputError(
            f"{path}: has {unpacked:,} bytes unpacked; expected at most {most >> 20} MiB, since it is read whole; "
            f"check the file, or {raising('text_mib')}"
        )


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    if member.compress_type not in PACKED_BY:
        raise ValueError(f"{member.filename} is packed by method {member.compress_type}")
    with archive.open(member) as file:
        stream = io.BytesIO(file.read(member.file_size))  # without a number all would be unpacked, and then cut
    shape, by_columns, dtype = HEADERS[np.lib.format.read_magic(stream)](stream)
    # From the bytes that are there: NumPy's own reader takes memory for as many as the header claims. Python objects
    # are refused by frombuffer.
    values = np.frombuffer(stream.getbuffer()[stream.tell() :], dtype)
    return values.reshape(shape, order="F" if by_columns else "C").copy()
