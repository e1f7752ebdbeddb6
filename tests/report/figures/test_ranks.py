"""The picture of ranks joins exactly the models that cannot be told apart."""

import pytest
from matplotlib.text import Text

from histoloom.evaluate.tables.ranking import RANKING_COLUMNS
from histoloom.files import write_table
from histoloom.report.figures.ranks import Ranked, description, draw_ranks, joined, ranked_models
from histoloom.report.figures.style import BLUE, save
from tests.scripts_run import outcome


@pytest.mark.parametrize(
    ("ranks", "distance", "runs"),
    [
        # Demšar 2006, figure 1 (a): C4.5+m+cf and C4.5+m to C4.5, all closer than 1.25
        ([1.964, 2.000, 2.893, 3.143], 1.25, [(0, 3)]),
        ([1.0, 1.5, 2.2, 4.0], 1.0, [(0, 1), (1, 2)]),
        ([1.0, 2.0], 1.0, []),  # as far as the critical difference is told apart
        ([1.0, 2.0, 3.0], 5.0, [(0, 2)]),
        ([1.5, 1.5], 0.1, [(0, 1)]),
    ],
)
def test_runs_are_the_longest_ones_closer_than_the_critical_difference(ranks, distance, runs):
    assert joined(ranks, distance) == runs


def row(name, rank, chance="0.5", metric="dice"):
    return {"architecture": name, "metric": metric, "class": "mean", "mean_rank": rank, "probability_best": chance}


def test_models_are_sorted_by_rank_and_those_without_one_left_out():
    rows = [row("b", "2.5", ""), row("a", "1.5"), row("c", ""), row("d", "1", metric="iou")]
    assert ranked_models(rows, "dice", "mean") == [Ranked("a", 1.5, 0.5), Ranked("b", 2.5, None)]


MODELS = [Ranked("unet", 1.2, 0.9), Ranked("fpn_with_a_very_long_name_of_its_own", 1.9, 0.1), Ranked("$a$", 2.9, 0.0)]


def test_one_bar_is_drawn_for_each_run():
    panel = draw_ranks(MODELS, 0.8, 9, "dice (mean)").axes[0]
    bars = [line for line in panel.lines if line.get_color() == BLUE]
    assert [list(line.get_xdata()) for line in bars] == [[1.2, 1.9]]


def test_a_difference_that_ranks_cannot_reach_is_said():
    texts = [text.get_text() for text in draw_ranks(MODELS, 2.5, 2, "dice").axes[0].texts]
    assert any("nothing can be told apart" in text for text in texts)
    assert not any("nothing" in text.get_text() for text in draw_ranks(MODELS, 0.8, 9, "dice").axes[0].texts)


@pytest.mark.parametrize("models", [MODELS[:2], MODELS, [Ranked(f"model {n}", 1.0 + n, None) for n in range(15)]])
def test_all_text_is_inside_the_figure_and_the_bytes_are_the_same_each_time(tmp_path, models):
    for run in ("first", "second"):
        figure = draw_ranks(models, 0.8, 9, "dice (mean)")
        save(figure, tmp_path / f"{run}.png", tmp_path / f"{run}.pdf")
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height
    renderer = figure.canvas.get_renderer() if hasattr(figure.canvas, "get_renderer") else None
    for text in figure.findobj(Text):
        if text.get_text():
            box = text.get_window_extent(renderer)
            assert box.x0 >= -1 and box.x1 <= width * figure.dpi + 1, text.get_text()
    assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text()) >= 8


def test_the_text_alternative_says_who_is_told_apart():
    assert description(MODELS[::2], 0.8, "dice").endswith("All are told apart.")
    assert "Not told apart: unet to fpn" in description(MODELS, 0.8, "dice")


def test_the_script_draws_and_names_what_is_not_there(tmp_path):
    rows = [("lab", name, "model", "dice", "mean", 0.5, rank, 0.9, 9) for name, rank in (("a", 1.4), ("b", 1.6))]
    write_table(tmp_path / "ranking.csv", RANKING_COLUMNS, rows)
    words = ["scripts/draw_ranks.py", "--ranking", str(tmp_path / "ranking.csv"), "--class", "mean"]
    words += ["--figure", str(tmp_path / "a.png"), "--pdf", str(tmp_path / "a.pdf"), "--metric"]
    assert outcome([*words, "dice"]) == "done"
    assert (tmp_path / "a.png").is_file() and (tmp_path / "a.pdf").is_file()
    assert "no pq of class 'mean'; expected a metric and a class that it holds" in outcome([*words, "pq"])


@pytest.mark.parametrize(("rank", "words"), [("1.0", "1 model with a score"), (None, "no models with a score")])
def test_one_model_alone_gives_a_picture_that_says_so(tmp_path, rank, words):
    write_table(tmp_path / "r.csv", RANKING_COLUMNS, [("lab", "a", "model", "dice", "mean", None, rank, None, 9)])
    call = ["scripts/draw_ranks.py", "--ranking", str(tmp_path / "r.csv"), "--class", "mean", "--metric", "dice"]
    assert outcome([*call, "--figure", str(tmp_path / "a.png")]) == "done"
    models = [Ranked("a", 1.0, None)] if rank else []
    figure = draw_ranks(models, float("nan"), 9, "dice (mean)")
    assert [text.get_text() for text in figure.texts] == [f"Nothing to rank by dice (mean): {words}"]
    drawn, (width, _) = figure.get_tightbbox(), figure.get_size_inches()
    assert drawn.x0 >= 0 and drawn.x1 <= width
