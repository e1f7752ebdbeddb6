"""Safe unpacking of zip, tar and tar.gz: everything is checked before the first byte is written.

A member may only be a plain file or folder inside the target. What came by mail or from the web is not trusted, even
where its digest is right.
"""

import filecmp
import gzip
import os
import re
import shutil
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from histoloom.errors import InputError
from histoloom.limits import limit, raising
from histoloom.prepare.fetch.guarded_stream import GuardedStream

GB = 10**9  # an archive may unpack to one, whatever its ratio
BLOCK_BYTES = 1 << 20
JUNK = "__MACOSX"  # what the Finder adds to zips: icons and shadows of each file
# The last is what zipfile raises for a compression that it does not know.
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Member:
    """One entry of an archive; `kind` is file, folder, or what it is instead (link, device ...)."""

    name: str
    kind: str
    size: int
    entry: zipfile.ZipInfo | tarfile.TarInfo

    @property
    def path(self) -> PurePosixPath:
        """Where it goes, relative to the target; backslashes of Windows part folders too."""
        return PurePosixPath(self.name.replace("\\", "/"))


def unpack(
    archive: Path,
    folder: Path,
    *,
    progress: Progress | None = None,
) -> list[str]:
    """Unpack a zip, tar or tar.gz into `folder`, beside what is there; return the names of its top entries, sorted.

    All is unpacked into `folder`/.unpacking, then moved into place: a member that is already there with the same bytes
    is no conflict, so an interrupted call can be repeated. Rights and dates of the archive are not kept.
    `progress` is called with the bytes unpacked and in all.
    Raises InputError, with nothing written, for another format, absolute paths, "..", links, devices, passwords, names
    that differ only by case, more than limits.archive_gb, archive_ratio or archive_members, a full disk, and a
    different file in the way.
    """
    try:
        with _opened(archive) as (entries, read):
            members = _checked(archive, entries)
            total = sum(member.size for member in members)
            if total > (free := shutil.disk_usage(_existing(folder)).free):
                raise InputError(
                    f"{folder}: no space left: {archive.name} needs {total} bytes, free are {free}; free some, repeat"
                )
            scratch = folder / ".unpacking"
            shutil.rmtree(scratch, ignore_errors=True)  # left by a killed run
            scratch.mkdir(parents=True)
            try:
                _write_all(members, read, scratch, total, progress)
                os.sync()  # the bytes are on the disk before they have their names
                _merge(archive, scratch, folder)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    except DAMAGED as problem:
        reason = str(problem)[:120] or type(problem).__name__
        raise InputError(f"{archive}: cannot be unpacked ({reason}); expected a whole archive; get it again") from None
    except OSError as problem:
        raise InputError(
            f"{folder}: {archive.name} cannot be unpacked here ({problem.strerror}); expected a folder of yours with "
            "room; free space or mend its rights, and run again"
        ) from problem
    return sorted({member.path.parts[0] for member in members})


@contextmanager
def _opened(archive: Path) -> Iterator[tuple[Iterator[Member], Callable[[Member], BinaryIO]]]:
    with archive.open("rb") as file:
        start = file.read(4)
    if start in (b"PK\x03\x04", b"PK\x05\x06"):
        with zipfile.ZipFile(archive) as opened:
            yield map(_zip_member, opened.infolist()), lambda member: opened.open(member.entry)
        return
    with gzip.open(archive) if start[:2] == b"\x1f\x8b" else archive.open("rb") as packed:
        try:
            opened = tarfile.open(fileobj=GuardedStream(archive, packed), mode="r:")  # noqa: SIM115, closed below
        except tarfile.ReadError:
            raise InputError(
                f"{archive}: begins with {start!r}; expected a zip, tar or tar.gz; set 'unpack: false' for a plain file"
            ) from None
        with opened:
            yield map(_tar_member, opened), lambda member: opened.extractfile(member.entry)


def _zip_member(entry: zipfile.ZipInfo) -> Member:
    mode = entry.external_attr >> 16
    if entry.flag_bits & 1:
        kind = "entry with a password"
    elif stat.S_ISLNK(mode):
        kind = "symbolic link"
    elif stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        kind = "device or pipe"
    else:
        kind = "folder" if entry.orig_filename.endswith(("/", "\\")) else "file"
    return Member(entry.orig_filename, kind, entry.file_size, entry)


def _tar_member(entry: tarfile.TarInfo) -> Member:
    kinds = {
        "folder": entry.isdir(),
        "file": entry.isreg(),
        "symbolic link": entry.issym(),
        "hard link": entry.islnk(),
    }
    kind = next((kind for kind, holds in kinds.items() if holds), "device or pipe")
    return Member(entry.name, kind, entry.size if kind == "file" else 0, entry)


def _checked(archive: Path, entries: Iterable[Member]) -> list[Member]:
    members: list[Member] = []
    spellings: dict[str, tuple[str, str]] = {}
    most_members, most_bytes = limit("archive_members"), limit("archive_gb") * GB
    most_by_ratio = max(GB, limit("archive_ratio") * archive.stat().st_size)
    total = 0
    # Limits are looked at entry by entry: a bomb is left before it is unpacked.
    for number, member in enumerate(entries, start=1):
        total += member.size
        if number > most_members:
            raise InputError(
                f"{archive}: has more than {most_members} members; expected fewer; if you trust it, "
                f"{raising('archive_members')}"
            )
        if total > most_bytes:
            raise InputError(
                f"{archive}: unpacks to more than {most_bytes} bytes; expected less; if you trust it, "
                f"{raising('archive_gb')}"
            )
        if total > most_by_ratio:
            raise InputError(
                f"{archive}: unpacks to more than {limit('archive_ratio')} times its size; expected less; if you trust "
                f"it, {raising('archive_ratio')}"
            )
        _check_place(archive, member)
        if member.path.parts and member.path.parts[0] != JUNK:
            _check_spelling(archive, member, spellings)
            members.append(member)
    if not any(member.kind == "file" for member in members):
        raise InputError(f"{archive}: holds no file; expected a dataset; get it again")
    return members


def _check_place(archive: Path, member: Member) -> None:
    path, shown = member.path, repr(member.name)
    if path.is_absolute() or re.match(r"[A-Za-z]:", member.name):
        raise InputError(f"{archive}: member {shown} has an absolute path; expected a relative one; do not trust it")
    if ".." in path.parts:
        raise InputError(f"{archive}: member {shown} leaves its folder; expected no '..'; do not trust it")
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in member.name):  # control, or no Unicode
        raise InputError(f"{archive}: member {shown} has a name that is no text; expected letters; do not trust it")
    if member.kind not in ("file", "folder"):
        raise InputError(
            f"{archive}: member {shown} is a {member.kind}; expected files and folders only; unpack it by hand"
        )


def _check_spelling(archive: Path, member: Member, spellings: dict[str, tuple[str, str]]) -> None:
    # Each folder on the way counts too: Images/a.png and images/b.png are one folder on some file systems.
    for depth in range(1, len(member.path.parts) + 1):
        part = "/".join(member.path.parts[:depth])
        kind = member.kind if depth == len(member.path.parts) else "folder"
        key = unicodedata.normalize("NFC", part).casefold()
        is_new = key not in spellings
        other, other_kind = spellings.setdefault(key, (part, kind))
        if not is_new and (other != part or "file" in (kind, other_kind)):
            raise InputError(
                f"{archive}: members {other!r} and {part!r} have one name on some file systems; expected different "
                "names; rename one and pack it again"
            )


def _write_all(
    members: list[Member],
    read: Callable[[Member], BinaryIO],
    scratch: Path,
    total: int,
    progress: Progress | None,
) -> None:
    done = 0
    for member in members:
        target = scratch / member.path
        (target if member.kind == "folder" else target.parent).mkdir(parents=True, exist_ok=True)
        if member.kind == "folder":
            continue
        with read(member) as source, target.open("xb") as file:
            shutil.copyfileobj(source, file, BLOCK_BYTES)  # zipfile and tarfile give no more than the stated size
        done += member.size
        if progress:
            progress(done, total)


def _merge(archive: Path, scratch: Path, folder: Path) -> None:
    files = sorted(path for path in scratch.rglob("*") if not path.is_dir())
    for path in files:
        _check_way(archive, path, folder / path.relative_to(scratch), folder)
    for path in sorted(scratch.rglob("*")):
        target = folder / path.relative_to(scratch)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        else:
            path.replace(target)


def _check_way(archive: Path, path: Path, target: Path, folder: Path) -> None:
    for parent in target.parents:
        if parent == folder:
            break
        if parent.is_symlink() or (parent.exists() and not parent.is_dir()):
            raise InputError(f"{parent}: is no plain folder; {archive.name} needs one there; move it away")
    is_same = not target.is_symlink() and target.is_file() and filecmp.cmp(path, target, shallow=False)
    if (target.is_symlink() or target.exists()) and not is_same:
        raise InputError(
            f"{target}: differs from the file of that name in {archive.name}; expected the same or none; move it away"
        )


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
