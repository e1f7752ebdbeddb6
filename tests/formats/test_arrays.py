import io
import re
import resource

import numpy as np
import pytest

from histoloom.errors import InputError
from histoloom.formats.arrays import open_array, read_texts, save_array

VALUES = np.arange(12.0).reshape(3, 4)


def npy(values: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    np.save(file, values, **options)
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    np.savez(file, VALUES)
    return file.getvalue()


def test_an_array_is_opened_without_being_read(tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(npy(VALUES))
    array = open_array(path)
    assert isinstance(array, np.memmap)
    assert array.tolist() == VALUES.tolist()


DAMAGED = {
    "empty": b"",
    "web page": b"<html>not found</html>",
    "half": npy(VALUES)[:150],
    "two in one": npy(VALUES) + npy(VALUES),
    "narrower numbers": npy(VALUES).replace(b"<f8", b"<f4"),  # else half of the rows, in nonsense, would pass
    "open bracket": npy(VALUES).replace(b"4)", b"4,"),
    "zero byte in the header": npy(VALUES).replace(b"False", b"Fa\0se"),
    "negative side": npy(VALUES).replace(b"(3, 4)", b"(-3,4)"),
    "endless side": npy(VALUES).replace(b"(3, 4), }" + b" " * 20, b"(3, " + b"9" * 21 + b"), }"),
    "objects": npy(np.array(["a", None], object), allow_pickle=True),
    "archive": zipped(),
    "start of an archive": b"PK\x03\x04" + bytes(50),
}


@pytest.mark.parametrize("payload", DAMAGED.values(), ids=DAMAGED.keys())
def test_what_is_no_whole_array_is_refused(payload, tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(payload)
    message = f"^{re.escape(str(path))}: cannot be read as a .npy array (.+); download the file again$"
    with pytest.raises(InputError, match=message):
        open_array(path)


@pytest.mark.parametrize("values, texts", [(["Colon", "Dünndarm"], ["Colon", "Dünndarm"]), ([3, 12], ["3", "12"])])
def test_texts_and_whole_numbers_are_read_as_texts(values, texts, tmp_path):
    np.save(tmp_path / "a.npy", np.array(values))
    assert read_texts(tmp_path / "a.npy") == texts


NO_TEXTS = {
    "fractions": npy(np.array([0.5, np.nan])),
    "bytes": npy(np.array([b"a", b"b"])),
    "half a surrogate pair": npy(np.array(["a", "b\ud800"])),
    "beyond Unicode": npy(np.array(["a", "b"])).replace(b"b\0\0\0", b"b\0\0\x7f"),
}


@pytest.mark.parametrize("payload", NO_TEXTS.values(), ids=NO_TEXTS.keys())
def test_what_is_no_text_is_refused(payload, tmp_path):
    path = tmp_path / "a.npy"
    path.write_bytes(payload)
    with pytest.raises(InputError, match=f"^{re.escape(str(path))}: holds what is no text"):
        read_texts(path)


@pytest.mark.parametrize("values", [VALUES, VALUES.T, np.zeros((0, 3), np.uint8), np.array(7)])
def test_a_saved_array_has_the_bytes_that_numpy_writes(tmp_path, values):
    save_array(tmp_path / "a.npy", values)
    assert (tmp_path / "a.npy").read_bytes() == npy(values)


def test_an_array_that_cannot_be_written_whole_is_never_taken_for_saved(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            save_array(tmp_path / "a.npy", np.zeros(4000, np.uint8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
