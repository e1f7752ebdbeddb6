"""Row B11: downloads that would write where they may not, and arrays that would run code."""

import hashlib
import io
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from tests.bad_input.case import Case
from tests.bad_input.cases.layouts import write_fold
from tests.bad_input.made_files import put

URL = "https://data.example/lab.bin"
READ_PANNUKE = ("prepare_dataset.py", "--reader", "pannuke", "--root", "raw", "--on-bad-image", "stop")


def tar_of(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
        sound = tarfile.TarInfo("images/a.png")
        sound.size = 3
        archive.addfile(sound, io.BytesIO(b"abc"))
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, link
        archive.addfile(entry)
    return file.getvalue()


def zip_of(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), b"abc")
    return file.getvalue()


ARCHIVES: dict[str, bytes] = {
    "a zip that leaves its folder": zip_of("images/a.png", "../../outside.txt"),
    "a tar with an absolute path": tar_of("/tmp/outside.txt"),
    "a zip with a path of Windows": zip_of("images/a.png", "C:\\outside.txt"),
    "a tar with a symbolic link": tar_of("images/link", tarfile.SYMTYPE, "/etc"),
    "a tar with a hard link": tar_of("images/link", tarfile.LNKTYPE, "../../outside.txt"),
    "a tar with a device": tar_of("images/null", tarfile.CHRTYPE),
    "a zip with two names that some systems take for one": zip_of("images/a.png", "Images/b.png"),
    "half a zip": zip_of("images/a.png", "images/b.png")[:-30],
    "a web page instead of an archive": b"<html>please log in</html>",
}


def archive_case(name: str, content: bytes, **more: object) -> Case:
    """The download is there with its right digest, so that nothing is asked of the network."""
    place = "raw/.downloads/lab.bin"
    words = ("fetch_dataset.py", "--file", URL, hashlib.sha256(content).hexdigest(), "yes")
    return Case("B11", name, partial(put, place, content), words, as_process="leaves" in name, **more)


class Evil:
    """What a pickle calls when it is loaded."""

    def __reduce__(self) -> tuple[Callable, tuple]:
        return Path.touch, (Path("executed"),)


def with_a_pickle_of_arrays() -> None:
    write_fold("raw/Fold 1")
    np.save("raw/Fold 1/types.npy", np.array([Evil(), Evil()], dtype=object), allow_pickle=True)


def with_a_pickle_alone() -> None:
    write_fold("raw/Fold 1")
    put("raw/Fold 1/masks.npy", pickle.dumps(Evil()))


CASES = [
    *(archive_case(name, content) for name, content in ARCHIVES.items()),
    archive_case("a zip of more members than the limit", zip_of("a.png", "b.png", "c.png"), limits="archive_members=2"),
    Case(
        "B11",
        "an address that is no web address",
        lambda: None,
        ("fetch_dataset.py", "--file", "file:///etc/passwd", "0" * 64, "yes"),
    ),
    Case("B11", "an array that would run code", with_a_pickle_of_arrays, READ_PANNUKE),
    Case("B11", "a pickle named as an array", with_a_pickle_alone, READ_PANNUKE),
]
