"""The picture of strata shows each architecture in each stratum, and where it stands among them."""

import math

import pytest
from matplotlib.text import Text

from histoloom.evaluate.tables.strata import STRATA_COLUMNS
from histoloom.files import write_table
from histoloom.report.figures.strata import COLOURS, MARKERS, Stratum, description, draw_strata, read_strata
from histoloom.report.figures.style import save
from tests.scripts_run import outcome

NAN = math.nan


def row(stratum, name, mean, low="", high="", kind="model", metric="dice", images="9"):
    return {
        "architecture": name, "kind": kind, "metric": metric, "class": "mean", "stratum": stratum, "mean": mean,
        "low": low, "high": high, "images": images, "groups": "3",
    }  # fmt: skip


def test_strata_are_sorted_by_their_mean_over_architectures():
    rows = [row("lung", "a", "0.5"), row("colon", "a", "0.4"), row("colon", "b", "0.8"), row("lung", "b", "0.6")]
    assert [(one.name, one.mean) for one in read_strata(rows, "dice", "mean")] == [
        ("colon", pytest.approx(0.6)),
        ("lung", pytest.approx(0.55)),
    ]


def test_baselines_other_metrics_and_undefined_scores_are_left_out():
    rows = [row("lung", "a", "0.5", "0.4", "0.6"), row("lung", "otsu", "0.1", kind="baseline"), row("lung", "b", "")]
    rows += [row("lung", "a", "0.9", metric="iou"), row("", "a", "0.25", images="2")]
    lung, none = read_strata(rows, "dice", "mean")
    assert lung == Stratum("lung", 9, 3, {"a": (0.5, 0.4, 0.6)})
    assert (none.name, none.images) == ("not stated", 2)
    assert none.scores["a"][0] == 0.25 and math.isnan(none.scores["a"][1])


def made(strata=3, architectures=2):
    return [
        Stratum(
            f"tissue $t$ {place}",
            9 + place,
            3,
            {f"model {n}": (0.5 + n / 50, 0.4, 0.6 + n / 50) for n in range(architectures)},
        )
        for place in range(strata)
    ]


def marks(figure):
    return [line for line in figure.axes[0].lines if line.get_marker() not in ("None", "", None)]


def test_each_architecture_has_a_mark_in_each_stratum_at_its_mean():
    found = marks(draw_strata(made(), "dice (mean)"))
    assert [line.get_xdata()[0] for line in found] == [0.5, 0.52] * 3
    rows = [line.get_ydata()[0] for line in found]
    assert rows == sorted(rows) and [round(row) for row in rows] == [0, 0, 1, 1, 2, 2]


def test_an_architecture_that_is_missing_in_a_stratum_leaves_its_place_free():
    strata = made()
    del strata[1].scores["model 0"]
    assert [line.get_xdata()[0] for line in marks(draw_strata(strata, "dice"))] == [0.5, 0.52, 0.52, 0.5, 0.52]


def test_where_less_is_better_the_lowest_stands_on_top():
    names = lambda figure: [text.get_text() for text in figure.axes[0].get_yticklabels()]  # noqa: E731
    assert names(draw_strata(made(), "hd95", True)) == names(draw_strata(made(), "dice"))[::-1]


def test_architectures_differ_by_colour_and_shape():
    found = marks(draw_strata(made(1, 20), "dice"))
    assert len({(line.get_color(), line.get_markerfacecolor(), line.get_marker()) for line in found}) == 20
    assert math.lcm(len(COLOURS), len(MARKERS)) == 77


@pytest.mark.parametrize(("strata", "architectures"), [(1, 1), (3, 2), (19, 5)])
def test_the_picture_is_inside_its_figure_legible_explained_and_the_same_each_time(tmp_path, strata, architectures):
    for run in ("first", "second"):
        figure = draw_strata(made(strata, architectures), "dice (mean)")
        save(figure, tmp_path / f"{run}.png", tmp_path / f"{run}.pdf")
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
    assert (tmp_path / "first.pdf").read_bytes() == (tmp_path / "second.pdf").read_bytes()
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height
    assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text()) >= 8
    assert len(figure.legends[0].get_texts()) == architectures


def test_a_stratum_without_an_interval_is_a_mark_alone():
    figure = draw_strata([Stratum("lung", 2, 1, {"a": (0.5, NAN, NAN)})], "dice")
    figure.draw_without_rendering()
    assert len(marks(figure)) == 1


def test_the_text_alternative_names_both_ends():
    text = description([Stratum("a", 1, 1, {"x": (0.9, NAN, NAN)}), Stratum("b", 1, 1, {"x": (0.1, NAN, NAN)})], "pq")
    assert text == "pq of 2 strata: from 0.900 in a to 0.100 in b, as means over architectures."


def test_the_script_draws_strata_into_a_folder_which_is_empty_where_there_are_none(tmp_path):
    rows = [("lab", "unet", "model", "dice", "mean", name, 0.5, 0.4, 0.6, 9, 3) for name in ("lung", "colon")]
    write_table(tmp_path / "strata.csv", STRATA_COLUMNS, rows)
    words = ["scripts/draw_strata.py", "--strata", str(tmp_path / "strata.csv"), "--class", "mean"]
    words += ["--figures", str(tmp_path / "figures"), "--metric"]
    assert outcome([*words, "dice"]) == "done"
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["strata.pdf", "strata.png"]
    assert outcome([*words, "pq"]) == "done"
    assert not list((tmp_path / "figures").iterdir())
