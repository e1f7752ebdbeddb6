"""Published figures stand in the summary as what they are, and what cannot be compared is refused."""

import pytest

from histoloom.errors import InputError
from histoloom.evaluate.tables.published import published_rows
from histoloom.evaluate.tables.summary import SUMMARY_COLUMNS

FIGURE = {
    "name": "HoVer-Net",
    "metric": "pq@pannuke",
    "class": "mean",
    "value": 0.4629,
    "source": "Graham 2019, table 3.",
    "definition": "mPQ of the authors of PanNuke.",
}
CLASSES = ("background", "tumour")


def rows_of(*figures):
    rows = published_rows("pannuke", figures, ["unet"], CLASSES)
    return [dict(zip(SUMMARY_COLUMNS, row, strict=True)) for row in rows]


def test_a_figure_is_a_row_of_its_own_kind_with_source_and_without_interval():
    (row,) = rows_of(FIGURE)
    assert (row["dataset"], row["architecture"], row["kind"]) == ("pannuke", "HoVer-Net", "published")
    assert (row["metric"], row["class"], row["mean"]) == ("pq@pannuke", "mean", 0.4629)
    assert [row[name] for name in ("low", "high", "images", "groups")] == [None] * 4
    assert row["definition"] == "mPQ of the authors of PanNuke; source: Graham 2019, table 3."


def test_no_figures_are_no_rows():
    assert rows_of() == []


def test_a_class_of_the_dataset_will_do():
    assert rows_of(FIGURE | {"class": "tumour", "metric": "dice", "value": 1})[0]["mean"] == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": 46.29}, "value is 46.29; expected 0 to 1, as pq@pannuke is defined; divide a percentage by 100"),
        ({"value": "46 %"}, "value is '46 %'; expected a number"),
        ({"value": True}, "value is True; expected a number"),
        ({"value": float("nan")}, "value is nan; expected a number"),
        ({"value": None}, "value is None; expected a number"),
        ({"metric": "mpq"}, "unknown metric 'mpq'; did you mean 'pq'"),
        ({"metric": "pq@panuke"}, "unknown metric 'pq@panuke'; did you mean 'pq@pannuke'"),
        ({"class": "tumor"}, "unknown class 'tumor'; did you mean 'tumour'"),
        ({"name": "unet"}, "name 'unet' is an architecture of this study; expected another one"),
        ({"source": " "}, "source is ' '; expected text"),
        ({"definition": None}, "definition is None; expected text"),
        ({"fold": 1}, "unknown key 'fold'"),
    ],
)
def test_what_cannot_stand_in_the_table_is_refused_by_its_place(change, message):
    with pytest.raises(InputError) as caught:
        rows_of(FIGURE | {"name": "StarDist"}, FIGURE | change)
    assert f"evaluate.published[1]: {message}" in str(caught.value)


def test_what_is_no_mapping_is_refused():
    with pytest.raises(InputError, match=r"published\[0\]: 'HoVer-Net 0.46'; expected a mapping"):
        rows_of("HoVer-Net 0.46")


def test_two_values_of_one_score_are_refused():
    with pytest.raises(InputError, match=r"published\[1\]: HoVer-Net pq@pannuke mean stands there twice"):
        rows_of(FIGURE, FIGURE | {"value": 0.5})
