"""Score against cost: the front is what nothing beats, and no name covers another."""

import itertools

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from histoloom.evaluate.tables.costs import COST_COLUMNS
from histoloom.evaluate.tables.summary import SUMMARY_COLUMNS
from histoloom.files import write_table
from histoloom.report.figures.pareto import Priced, description, draw_pareto, pareto_front, priced, short_number
from histoloom.report.figures.point_labels import MARKER_PT, label_points
from histoloom.report.figures.style import save
from tests.scripts_run import outcome


def test_the_front_is_what_nothing_beats():
    # (3, .6) costs more than (2, .7) and scores less; (4, .7) costs more for the same; twins stay both.
    points = [(1.0, 0.5), (2.0, 0.7), (3.0, 0.6), (4.0, 0.7), (5.0, 0.9), (5.0, 0.9)]
    assert pareto_front(points) == [0, 1, 4, 5]


def test_where_less_is_better_the_front_is_the_other_one():
    assert pareto_front([(1.0, 0.5), (2.0, 0.7), (3.0, 0.4)], is_lower_better=True) == [0, 2]


def test_the_front_holds_the_cheapest_and_the_best_and_rises():
    rng = np.random.default_rng(0)
    points = [(float(cost), float(score)) for cost, score in rng.random((60, 2))]
    front = sorted(points[place] for place in pareto_front(points))
    assert min(points) == front[0] and max(points, key=lambda point: point[1]) == front[-1]
    assert all(before[1] < after[1] for before, after in itertools.pairwise(front))


def row(name, kind="model", mean="0.8", metric="dice", of_class="mean"):
    values = {"architecture": name, "kind": kind, "metric": metric, "class": of_class, "mean": mean}
    return values | {"low": "0.7", "high": ""}


def cost(name, **values):
    empty = dict.fromkeys(("seconds_per_mm2", "seconds_per_megapixel", "peak_memory_mib", "parameters"), "")
    return empty | {"architecture": name} | values


def test_only_measured_architectures_are_drawn_and_costs_that_a_logarithm_cannot_hold_are_left_out():
    summary = [
        row("unet"),
        row("otsu", "baseline"),
        row("paper", "published"),
        row("fpn", mean=""),
        row("unet", metric="iou"),
    ]
    costs = [cost("unet", parameters="1000", peak_memory_mib="9.5"), cost("otsu", parameters="0"), cost("fpn")]
    found = priced(summary, costs, "dice", "mean")
    assert [(one.architecture, one.costs) for one in found] == [
        ("unet", {"parameters": 1000.0, "peak_memory_mib": 9.5}),
        ("otsu", {}),
    ]
    assert (found[0].low, found[0].high, found[0].has_interval) == (0.7, None, False)


def crowd(count=14):
    rng = np.random.default_rng(3)
    return [
        Priced(
            f"architecture_{place:02}",
            "model" if place else "baseline",
            score := 0.7 + 0.02 * float(rng.random()),
            score - 0.03,
            score + 0.03,
            {"seconds_per_mm2": rng.random() + 0.5, "peak_memory_mib": 900.0 + place, "parameters": 3e7 * rng.random()},
        )
        for place in range(count)
    ]


def labels_of(panel, points):
    names = {one.architecture for one in points}
    return [text for text in panel.texts if text.get_text() in names]


@pytest.mark.parametrize("count", [1, 17])
def test_no_name_covers_another_or_a_point_or_leaves_its_panel(count):
    points = crowd(count)
    figure = draw_pareto(points, "dice (mean)", False)
    figure.draw_without_rendering()
    for panel, name in zip(figure.axes, ("seconds_per_mm2", "peak_memory_mib", "parameters"), strict=True):
        boxes = [label.get_window_extent() for label in labels_of(panel, points)]
        assert len(boxes) == count
        assert not any(overlap(first, second) for first, second in itertools.combinations(boxes, 2))
        centres = [panel.transData.transform((one.costs[name], one.mean)) for one in points]
        assert not any(box.contains(*centre) for box in boxes for centre in centres)
        inside = panel.get_window_extent()
        assert all(box.x0 >= inside.x0 - 1 and box.x1 <= inside.x1 + 1 for box in boxes)


def overlap(first, second):
    common = Bbox.intersection(first, second)
    return common is not None and common.width * common.height > 1e-6


def test_a_name_that_is_far_has_a_line_to_its_point():
    figure = Figure(figsize=(3, 3), layout="constrained")
    panel = figure.subplots()
    points = [(0.5, 0.5 + place / 1000) for place in range(12)]
    panel.plot(*zip(*points, strict=True), ls="", marker="o")
    panel.set(xlim=(0, 1), ylim=(0, 1))
    labels = label_points(panel, points, [f"name {place}" for place in range(12)])
    far = [label for label in labels if np.hypot(*label.get_position()) > 11]
    leaders = [text for text in panel.texts if not text.get_text() and text.arrow_patch is not None]
    assert len(far) == len(leaders) > 3
    assert min(np.hypot(*label.get_position()) for label in labels) >= MARKER_PT


def test_the_picture_is_inside_its_figure_legible_explained_and_the_same_each_time(tmp_path):
    for run in ("first", "second"):
        figure = draw_pareto(crowd(3), "dice (mean)", False, ["cpu"])
        save(figure, tmp_path / f"{run}.png", tmp_path / f"{run}.pdf")
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
    assert (tmp_path / "first.pdf").read_bytes() == (tmp_path / "second.pdf").read_bytes()
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height
    assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text()) >= 8
    assert {"model", "baseline"} <= {text.get_text() for text in figure.legends[0].get_texts()}


def test_time_is_per_megapixel_where_one_resolution_is_unknown():
    known = {"seconds_per_mm2": 1.0, "seconds_per_megapixel": 0.1}
    points = [
        Priced("a", "model", 0.5, None, None, known),
        Priced("b", "model", 0.6, None, None, {"seconds_per_megapixel": 0.2}),
    ]
    assert draw_pareto(points, "dice", False).axes[0].get_xlabel() == "seconds per megapixel"
    assert draw_pareto(points[:1], "dice", False).axes[0].get_xlabel() == "seconds per mm² of tissue"


def test_the_text_alternative_names_the_front_of_each_cost():
    points = [
        Priced("small", "model", 0.7, None, None, {"parameters": 1e6, "peak_memory_mib": 10.0}),
        Priced("large", "model", 0.8, None, None, {"parameters": 3.1e7, "peak_memory_mib": 5.0}),
    ]
    text = description(points, "dice (mean)", False)
    assert "Not beaten by peak memory in MiB: large (0.800 at 5)." in text
    assert "Not beaten by parameters: small (0.700 at 1 M), large (0.800 at 31 M)." in text


def test_numbers_of_any_size_stay_short():
    assert max(len(short_number(value)) for value in 10.0 ** np.arange(-3, 12)) <= 6


def test_the_script_draws_and_names_what_is_not_there(tmp_path):
    score = ("lab", "unet", "model", "dice", "mean", 0.8, 0.7, 0.9, 9, 3, "Dice.", 0, "")
    write_table(tmp_path / "summary.csv", SUMMARY_COLUMNS, [score])
    write_table(tmp_path / "costs.csv", COST_COLUMNS, [("lab", "unet", "model", 0.5, 0.1, 900, 31000, 60, "cpu")])
    words = [
        "scripts/draw_pareto.py",
        "--summary",
        str(tmp_path / "summary.csv"),
        "--costs",
        str(tmp_path / "costs.csv"),
    ]
    words += ["--metric", "dice", "--figure", str(tmp_path / "a.png"), "--pdf", str(tmp_path / "a.pdf"), "--class"]
    assert outcome([*words, "mean"]) == "done"
    assert (tmp_path / "a.png").is_file() and (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert "no dice of class 'stroma'" in outcome([*words, "stroma"])


def test_without_points_the_picture_says_so():
    (text,) = draw_pareto([], "dice (mean)", False).texts
    assert "nothing has both a defined dice (mean) and a measured cost" in text.get_text()
