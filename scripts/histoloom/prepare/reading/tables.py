"""The tables that come with a dataset: what each image is, looked up by its name."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from histoloom.errors import InputError
from histoloom.formats.whole import rows_within, whole_text

DELIMITERS = (",", ";", "\t")  # a spreadsheet saves "CSV" with semicolons where the comma is the decimal mark


def rows_by(path: Path, key: str, needed: Sequence[str] = ()) -> dict[str, dict[str, str]]:
    """The rows of a CSV table, each a dict of column to cell, by the cell in column `key`.

    The header is the first row that has a cell `key`: what stands above it is a preamble. Column names and keys come in
    small letters, all without blanks around them; rows whose key is empty are left out.
    Raises InputError for a file that is no UTF-8 text or over the limits, for missing columns, and for two unlike rows
    of one key.
    """
    rows = _table(path, key)
    header = [cell.lower() for cell in rows[0]]
    if missing := [column for column in needed if column.lower() not in header]:
        raise InputError(
            f"{path}: has no column '{missing[0]}'; expected {', '.join([key, *needed])} in the header; mend the header"
        )
    found: dict[str, dict[str, str]] = {}
    for cells in rows[1:]:
        row = dict(zip(header, cells + [""] * len(header), strict=False))
        name = row[key.lower()].lower()
        if name and found.setdefault(name, row) != row:
            raise InputError(f"{path}: has two rows for '{row[key.lower()]}'; expected one; remove one of them")
    return found


def _table(path: Path, key: str) -> list[list[str]]:
    text = whole_text(path, "a CSV")
    for delimiter in DELIMITERS:
        rows = _cells(path, text, delimiter)
        for number, row in enumerate(rows):
            if key.lower() in (cell.lower() for cell in row):
                return rows[number:]
    raise InputError(f"{path}: has no column '{key}'; expected it in the header; save the dataset's own table as CSV")


def _cells(path: Path, text: str, delimiter: str) -> list[list[str]]:
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return [[cell.strip() for cell in row] for row in rows_within(path, lines)]
    except csv.Error as error:
        raise InputError(f"{path}: cannot be read as CSV ({error}); save it as CSV in UTF-8 again") from error
