"""Tables as Parquet: what a CSV holds, with types, for notebooks and databases."""

import csv
from pathlib import Path

import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from histoloom.errors import InputError
from histoloom.files import atomic_file

TEXT = (
    "dataset",
    "architecture",
    "kind",
    "metric",
    "class",
    "definition",
    "diverged",
    "name",
    "group",
    "stratum",
    "first",
    "second",
    "size",
    "device",
)
WHOLE = ("fold", "folds", "images", "groups", "skipped", "nuclei", "parameters")


def write_parquet(path: Path, table: Path) -> None:
    """Write a CSV of the evaluate stage as Parquet, atomically: names are text, counts int64, the rest float64.

    An empty cell is null, or empty text. A group called 007 or NA stays what it is, since types go by the column's
    name and not by what happens to stand in it. Raises InputError for a column of numbers that holds something else.
    """
    with atomic_file(path) as part:
        parquet.write_table(read_typed(table), part, compression="zstd")


def read_typed(table: Path) -> pa.Table:
    """Read a CSV of the evaluate stage with the types of its columns."""
    if not table.is_file():
        raise InputError(
            f"{table}: no such table; expected one that summarise_scores.py writes; run the workflow again"
        )
    with table.open(newline="", encoding="utf-8") as file:
        header = next(csv.reader(file), [])
    types = {name: _type(name) for name in header}
    try:
        return arrow_csv.read_csv(
            table,
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=False),
        )
    except pa.ArrowInvalid as error:
        raise InputError(f"{table}: {error}; expected a table of the evaluate stage; run the workflow again") from error


def _type(name: str) -> pa.DataType:
    if name in TEXT:
        return pa.string()
    return pa.int64() if name in WHOLE else pa.float64()
