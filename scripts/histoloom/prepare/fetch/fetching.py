"""The files of a dataset, brought from the web into its folder: what is there already is not asked for again."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from histoloom.errors import InputError
from histoloom.files import sha256, write_json
from histoloom.prepare.fetch.archives import unpack
from histoloom.prepare.fetch.download import fetch_file, file_name

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class RemoteFile:
    """One file of a dataset's source; an archive is unpacked, any other file is kept as it is."""

    url: str
    sha256: str
    is_archive: bool


@dataclass(frozen=True)
class Fetched:
    """What a remote file brought: its size, and its entries in the dataset's folder."""

    url: str
    sha256: str
    bytes: int
    entries: tuple[str, ...]


def fetch_files(files: Sequence[RemoteFile], root: Path, progress: Progress | None = None) -> list[Fetched]:
    """Download all `files` into `root`/.downloads, unpack them into `root`, and say what each brought.

    A note beside each archive tells that it was unpacked: with all in place nothing is asked of the network, and a call
    that was killed goes on where it was. `progress` is called with the bytes of the file in work and in all.
    Raises InputError for two files of one name, and as fetch_file and unpack do.
    """
    names = [file_name(file.url) for file in files]
    for file, name in zip(files, names, strict=True):
        if names.count(name) > 1:
            raise InputError(f"{file.url}: another file is '{name}' too; expected different names; mend 'source'")
    return [_fetch(file, root, name, progress) for file, name in zip(files, names, strict=True)]


def read_receipt(path: Path, files: Sequence[RemoteFile], root: Path) -> list[Fetched] | None:
    """What an earlier run brought, where its receipt names just these files and all their entries are in `root`."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["files"]
        fetched = [Fetched(**row | {"entries": tuple(row["entries"])}) for row in rows]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    is_same = [(row.url, row.sha256) for row in fetched] == [(file.url, file.sha256) for file in files]
    return fetched if fetched and is_same and all(_is_here(row, root) for row in fetched) else None


def write_receipt(
    path: Path, dataset: str, licence: str, citation: str, fetched: Sequence[Fetched], content: str = ""
) -> None:
    """Write what was fetched, with licence and citation, as JSON; the last step, so its being there means all is.

    `content` is the digest of the dataset's folder (raw_data.raw_digest), by which later changes are noticed.
    """
    rows = [asdict(row) for row in fetched]
    write_json(path, {"dataset": dataset, "licence": licence, "citation": citation, "content": content, "files": rows})


def _fetch(file: RemoteFile, root: Path, name: str, progress: Progress | None) -> Fetched:
    return _fetch_archive(file, root, name, progress) if file.is_archive else _fetch_plain(file, root, name, progress)


def _fetch_archive(file: RemoteFile, root: Path, name: str, progress: Progress | None) -> Fetched:
    archive = root / ".downloads" / name
    note = archive.with_name(f"{name}.unpacked.json")
    if known := read_receipt(note, [file], root):
        return known[0]
    fetch_file(file.url, file.sha256, archive, progress=progress)
    fetched = Fetched(file.url, file.sha256, archive.stat().st_size, tuple(unpack(archive, root, progress=progress)))
    write_receipt(note, name, "", "", [fetched])
    return fetched


def _fetch_plain(file: RemoteFile, root: Path, name: str, progress: Progress | None) -> Fetched:
    target, download = root / name, root / ".downloads" / name
    is_there = target.is_file()
    if is_there and sha256(target) != file.sha256.lower():
        raise InputError(f"{target}: differs from {file.url}; expected the same or none; move it away")
    if not is_there:
        fetch_file(file.url, file.sha256, download, progress=progress)
        download.replace(target)
    return Fetched(file.url, file.sha256, target.stat().st_size, (name,))


def _is_here(fetched: Fetched, root: Path) -> bool:
    return all((root / entry).exists() for entry in fetched.entries)
