"""Downloads that end in the right bytes or in a message: resumed after a break, checked by SHA-256, in place at once.

What has come lies beside the target as `.<name>.part`, with a note of where it came from, so another run goes on there.
"""

import errno
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib import parse

from histoloom.errors import InputError
from histoloom.files import sha256, write_json
from histoloom.limits import limit, raising
from histoloom.prepare.fetch.web import Answer, BrokenError, ChangedError, ask, check_address

LONGEST_PAUSE_S = 60.0
FULL = {errno.ENOSPC, errno.EDQUOT}
GB = 10**9

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Origin:
    """Which file a part is the beginning of: `mark` is the server's ETag or date, "" where it gives none."""

    url: str
    sha256: str
    mark: str = ""
    total: int | None = None


def fetch_file(
    url: str,
    digest: str,
    target: Path,
    *,
    progress: Progress | None = None,
    attempts: int = 6,
    timeout_s: float = 60.0,
    pause_s: float = 1.0,
) -> None:
    """Download `url` to `target`, whose SHA-256 must be `digest`; a target that has it already asks no network.

    A broken transfer goes on where it broke, if the server still has the same file, else it starts over. `attempts` in
    a row without a new byte end it; after each the pause doubles, from `pause_s` to a minute. `timeout_s` is how long
    to wait for a connection and for each block. `progress` is called with the bytes there and in all (0: unknown).
    Raises InputError for other addresses than http(s), also by redirection, for answers that no retry mends, a server
    out of reach, more than limits.download_gb, a full disk (the part stays) and wrong bytes (the part is removed).
    """
    check_address(url)
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        raise InputError(f"{url}: sha256 is '{digest}'; expected 64 hexadecimal digits; mend 'source' of the dataset")
    origin = Origin(url, digest.lower())
    if target.is_file() and sha256(target) == origin.sha256:
        return
    part = target.with_name(f".{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _receive_all(origin, part, target, progress, attempts, timeout_s, pause_s)
        _check_digest(origin, part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
        _note(part).unlink(missing_ok=True)
    except OSError as problem:
        raise InputError(_unwritable(part, problem)) from problem


def file_name(url: str) -> str:
    """The last part of an address as a file name.

    >>> file_name("https://example.org/data/fold%201.zip?download=1")
    'fold_1.zip'
    """
    last = parse.unquote(parse.urlsplit(url).path).rstrip("/").rsplit("/", 1)[-1]
    return re.sub(r"[^\w.-]+", "_", last).strip("._-") or "file"


def _receive_all(
    origin: Origin,
    part: Path,
    target: Path,
    progress: Progress | None,
    attempts: int,
    timeout_s: float,
    pause_s: float,
) -> None:
    failures, most = 0, 0
    while True:
        try:
            return _receive(origin, part, timeout_s, progress)
        except BrokenError as problem:
            # Only bytes never had before are a step forward: some servers break at the same place each time.
            size = part.stat().st_size if part.exists() else 0
            failures, most = (0, size) if size > most else (failures + 1, most)
            if failures >= attempts:
                raise InputError(
                    f"{origin.url}: {problem}; expected the file, had {attempts} attempts in a row without a new byte; "
                    f"check the network and run again, which goes on where it broke, or put it at {target} by hand"
                ) from problem
            time.sleep(min(pause_s * 2 ** max(failures - 1, 0), LONGEST_PAUSE_S))


def _receive(origin: Origin, part: Path, timeout_s: float, progress: Progress | None) -> None:
    known = _known(origin, part)
    start = part.stat().st_size if known else 0
    if known and start == known.total:
        return
    try:
        with ask(origin.url, start, known.mark if known else "", timeout_s) as answer:
            if start and answer.start == start and answer.total != known.total:
                raise ChangedError(f"the file has {answer.total} bytes, no longer {known.total}")
            if answer.start == 0:
                _discard(part)
                # The note comes first: a part without its note is never continued.
                write_json(_note(part), asdict(replace(origin, mark=answer.mark, total=answer.total)))
            _append(origin, answer, part, progress)
    except ChangedError:
        _discard(part)
        raise


def _append(origin: Origin, answer: Answer, part: Path, progress: Progress | None) -> None:
    _check_size(origin, answer.total or 0)
    need, free = (answer.total or 0) - answer.start, shutil.disk_usage(part.parent).free
    if need > free:
        raise OSError(errno.ENOSPC, f"needs {need} bytes more, free are {free}")
    done = answer.start
    with part.open("ab") as file:
        for block in answer.blocks():
            done += len(block)
            _check_size(origin, done)  # not every server says how much it will send
            file.write(block)
            if progress:
                progress(done, answer.total or 0)


def _check_size(origin: Origin, size: int) -> None:
    if size > (most := limit("download_gb") * GB):
        raise InputError(
            f"{origin.url}: sends more than {most} bytes; expected less; if you trust it, {raising('download_gb')}"
        )


def _known(origin: Origin, part: Path) -> Origin | None:
    # None where there is no part of this very file, so that no two files are ever pieced together.
    try:
        known = Origin(**json.loads(_note(part).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    is_same = (known.url, known.sha256) == (origin.url, origin.sha256)
    return known if is_same and part.is_file() else None


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _check_digest(origin: Origin, part: Path) -> None:
    found = sha256(part)
    if found == origin.sha256:
        return
    with part.open("rb") as file:
        is_page = file.read(512).lstrip().lower().startswith((b"<!doctype html", b"<html"))
    _discard(part)
    cause = "it is a web page, so the file may need a login" if is_page else "run again"
    raise InputError(
        f"{origin.url}: its sha256 is {found}; expected {origin.sha256}; {cause}; "
        "if it stays so, the file on the server is another one: ask its authors before you use it"
    )


def _unwritable(part: Path, problem: OSError) -> str:
    if problem.errno in FULL:
        return (
            f"{part}: no space left ({problem.strerror}); expected room for the download; free some and run again, "
            "which goes on where it broke"
        )
    return f"{part}: cannot be written ({problem.strerror}); expected a folder of yours; mend its rights or 'root'"
