"""Files from outside that are read whole, of a stated size at most: JSON, XML and tables. Standard library only."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from histoloom.errors import InputError
from histoloom.limits import limit, raising

GZIP = b"\x1f\x8b"
Row = TypeVar("Row")


def read_whole(path: Path, *, may_be_gzip: bool = False) -> bytes:
    """The bytes of a file, unpacked where it may be gzip and is so by its first bytes.

    Raises InputError for a file that cannot be read, or that holds more than limits.text_mib when unpacked.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected one; mend the path, or put the file there")
    most = limit("text_mib") * 2**20
    try:
        with path.open("rb") as file:
            is_packed = may_be_gzip and file.read(len(GZIP)) == GZIP
            file.seek(0)
            payload = (gzip.GzipFile(fileobj=file) if is_packed else file).read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        what = "unpacked" if may_be_gzip else "read"
        raise InputError(f"{path}: cannot be {what} ({error}); expected a whole file; copy it again") from error
    if len(payload) > most:
        raise InputError(
            f"{path}: has more than {most >> 20} MiB{' when unpacked' if may_be_gzip else ''}; expected less, since it "
            f"is read whole; check the file, or {raising('text_mib')}"
        )
    return payload


def whole_text(path: Path, expected: str) -> str:
    """The text of a UTF-8 file, with or without byte order mark; `expected` says what it should be, for messages.

    Raises InputError as `read_whole` does, and for other encodings.
    """
    try:
        return read_whole(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: cannot be read as text ({error}); expected {expected}; save it as UTF-8 text"
        ) from error


def read_dicts(path: Path, expected: str) -> list[dict[str, str]]:
    """The rows of a CSV as dicts of column to cell; missing cells are "", those beyond the header stand under "".

    Raises InputError as `whole_text` does, for broken CSV, and for more than limits.table_rows rows.
    """
    lines = csv.DictReader(io.StringIO(whole_text(path, expected), newline=""), restval="", restkey="")
    try:
        return list(rows_within(path, lines))
    except csv.Error as error:
        raise InputError(f"{path}: cannot be read as CSV ({error}); expected {expected}; save it again") from error


def rows_within(path: Path, rows: Iterable[Row]) -> Iterator[Row]:
    """The rows of a table as they come; raises InputError beyond limits.table_rows of them."""
    most = limit("table_rows")
    for number, row in enumerate(rows, start=1):
        if number > most:
            raise InputError(
                f"{path}: has more than {most} rows; expected fewer, since memory grows with them; split the table, or "
                f"{raising('table_rows')}"
            )
        yield row
