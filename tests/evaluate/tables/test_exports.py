"""Parquet holds what the CSV holds, typed by the column and not by its content."""

import csv
import math

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from histoloom.errors import InputError
from histoloom.evaluate.tables.comparison import COMPARISON_COLUMNS
from histoloom.evaluate.tables.costs import COST_COLUMNS
from histoloom.evaluate.tables.exports import TEXT, WHOLE, read_typed, write_parquet
from histoloom.evaluate.tables.fold_spread import SPREAD_COLUMNS
from histoloom.evaluate.tables.ranking import RANKING_COLUMNS
from histoloom.evaluate.tables.sizes import SIZE_COLUMNS
from histoloom.evaluate.tables.strata import STRATA_COLUMNS
from histoloom.evaluate.tables.summary import SCORE_KEYS, SUMMARY_COLUMNS
from histoloom.files import write_table
from tests.scripts_run import outcome

COLUMNS = (*SCORE_KEYS, "dice", "pq")
ROWS = [
    ("lab", "unet", 0, 'a,"b"\nc', "007", "", "mean", 0.123456, None),
    ("lab", "unet", 1, "NA", "nan", "lung", "ä & <b>", 1.0, 0.5),
    ("lab", "unet", 1, "", "1e3", "true", "x", None, None),
]


def written(tmp_path, columns=COLUMNS, rows=ROWS):
    table = tmp_path / "scores.csv"
    write_table(table, columns, rows)
    write_parquet(tmp_path / "scores.parquet", table)
    return table, tmp_path / "scores.parquet"


def test_what_is_read_back_equals_the_csv(tmp_path):
    table, path = written(tmp_path)
    frame = pd.read_parquet(path)
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(frame.columns) == list(COLUMNS)
    assert len(frame) == len(rows)
    for name in COLUMNS:
        expected = [row[name] for row in rows]
        if name in TEXT:
            assert frame[name].tolist() == expected
        else:
            found = frame[name].astype(float).tolist()
            assert found == pytest.approx([float(cell or "nan") for cell in expected], nan_ok=True, abs=0)


def test_numbers_are_numbers_and_names_that_look_like_them_stay_text(tmp_path):
    schema = parquet.read_schema(written(tmp_path)[1])
    assert schema.field("group").type == pa.string() == schema.field("name").type
    assert schema.field("fold").type == pa.int64()
    assert schema.field("dice").type == pa.float64()


def test_an_empty_number_is_null_and_an_empty_text_is_text(tmp_path):
    read = parquet.read_table(written(tmp_path)[1])
    assert read["pq"].to_pylist() == [None, 0.5, None]
    assert read["stratum"].to_pylist()[0] == ""


def test_the_same_table_gives_the_same_bytes(tmp_path):
    first = written(tmp_path)[1].read_bytes()
    assert written(tmp_path / "again")[1].read_bytes() == first


def test_a_table_without_rows_keeps_its_types(tmp_path):
    path = written(tmp_path, rows=[])[1]
    assert parquet.read_schema(path).field("dice").type == pa.float64()
    assert parquet.read_metadata(path).num_rows == 0


@pytest.mark.parametrize(
    "columns",
    [SUMMARY_COLUMNS, COMPARISON_COLUMNS, RANKING_COLUMNS, STRATA_COLUMNS, SIZE_COLUMNS, SPREAD_COLUMNS, COST_COLUMNS],
)
def test_every_table_can_be_read_with_text_in_its_names_and_numbers_elsewhere(tmp_path, columns):
    row = ["text" if name in TEXT else 3 if name in WHOLE else 0.25 for name in columns]
    write_table(
        tmp_path / "table.csv",
        columns,
        [row, [value if name in TEXT else None for name, value in zip(columns, row, strict=True)]],
    )
    read = read_typed(tmp_path / "table.csv")
    assert read.to_pylist()[0] == dict(zip(columns, row, strict=True))
    assert all(read.to_pylist()[1][name] is None for name in columns if name not in TEXT)


def test_text_among_numbers_is_named(tmp_path):
    with pytest.raises(InputError, match=r"(?s)scores\.csv: .*invalid value 'good'.*expected a table"):
        written(tmp_path, rows=[("lab", "unet", 0, "a", "b", "", "mean", "good", None)])
    assert not (tmp_path / "scores.parquet").exists()


def test_a_table_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no such table"):
        read_typed(tmp_path / "scores.csv")


def summary_row(name, kind, mean, low=None, high=None):
    return ("lab", name, kind, "dice", "mean", mean, low, high, 12, 6, "Dice; image mean.", 0, "")


def test_the_script_writes_a_parquet_for_each_table_and_the_latex(tmp_path, capsys):
    rows = [summary_row("unet_1", "model", 0.8, 0.7, 0.9), summary_row("otsu", "baseline", 0.5, 0.4, 0.6)]
    write_table(tmp_path / "summary.csv", SUMMARY_COLUMNS, rows)
    pair = ("lab", "dice", "mean", "unet_1", "otsu", 0.3, 0.2, 0.4, 12, 6, 0, 0.03125, 0.03125)
    write_table(tmp_path / "comparison.csv", COMPARISON_COLUMNS, [pair])
    table, _ = written(tmp_path)
    words = ["scripts/export_tables.py", "--metric", "dice", "pq", "--class", "mean"]
    words += ["--summary", str(tmp_path / "summary.csv"), "--comparison", str(tmp_path / "comparison.csv")]
    words += ["--table", str(table), "--parquet", str(tmp_path / "out"), "--latex", str(tmp_path / "out" / "table.tex")]
    assert outcome(words) == "done"
    assert "has no pq; left out" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "comparison.parquet",
        "scores.parquet",
        "summary.parquet",
        "table.tex",
    ]
    assert math.isclose(parquet.read_table(tmp_path / "out" / "comparison.parquet")["p_holm"][0].as_py(), 0.03125)
    assert r"unet\_1 & $0.800_{[0.700,\,0.900]}$" in (tmp_path / "out" / "table.tex").read_text()
