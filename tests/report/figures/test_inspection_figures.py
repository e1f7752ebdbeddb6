"""Figures of sizes and stains: which rows and bars are drawn, and that a dataset without nuclei or tissue has one."""

from pathlib import Path

import numpy as np
import pytest

from histoloom.prepare.inspection.measuring import Look, Measured, Nuclei
from histoloom.prepared import IndexRow
from histoloom.report.figures.sizes import MOST_BARS, draw_sizes, kinds_of_size
from histoloom.report.figures.stains import MOST_ROWS, draw_stains, median_stains, rows_of
from histoloom.report.figures.style import save

STAINS = np.array([[0.6, 0.8, 0.0], [0.0, 1.0, 0.0]])


def image_of(
    group: str = "case", stratum: str = "Colon", size: tuple[int, int] = (8, 9), grey: float = 150, **changes
) -> Measured:
    path = Path("a.png")
    row = IndexRow("a", path, path, None, *size, changes.pop("mpp", None), group, stratum, None, "", "")
    look = changes.pop("look", Look(0.5, 4.0, changes.pop("stain", STAINS), np.full(3, float(grey)), np.full(3, 9.0)))
    return Measured(row, size, size, np.zeros(256, np.int64), look, **changes)


def test_bars_name_size_and_scale_most_images_first():
    images = [image_of(size=(5, 6)), *[image_of(mpp=0.25)] * 2, image_of()]
    assert kinds_of_size(images) == [
        ("8 x 9, 0.25 µm/px", 2),
        ("5 x 6, mpp unknown", 1),
        ("8 x 9, mpp unknown", 1),
    ]


def test_rare_sizes_share_the_last_bar():
    images = [image_of(size=(side, 10)) for side in range(1, 31)] + [image_of(size=(50, 10))] * 2
    kinds = kinds_of_size(images)
    assert len(kinds) == MOST_BARS
    assert kinds[0] == ("50 x 10, mpp unknown", 2)
    assert kinds[-1] == ("22 others, 9 x 10 to 30 x 10", 22)
    assert sum(count for _, count in kinds) == len(images)


def test_rows_are_groups_while_there_are_few():
    rows, title = rows_of([image_of("b"), image_of("a"), image_of("b"), image_of("")])
    assert {name: len(images) for name, images in rows.items()} == {"no group": 1, "a": 1, "b": 2}
    assert title == "by group"


def test_rows_are_strata_where_groups_are_many():
    rows, title = rows_of([image_of(f"g{n}", "Skin" if n % 3 else "Colon") for n in range(60)])
    assert {name: len(images) for name, images in rows.items()} == {"Colon": 20, "Skin": 40}
    assert title == "by stratum (60 groups)"


def test_rows_are_groups_from_dark_to_light_where_strata_do_not_help():
    rows, title = rows_of([image_of(f"g{n:02}", grey=200 - n) for n in range(60)])
    assert (len(rows), next(iter(rows)), list(rows)[-1]) == (MOST_ROWS, "g59", "g00")
    assert title == "24 of 60 groups, dark to light"


def test_one_odd_estimate_does_not_move_the_median_stain():
    odd = np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    images = [image_of(), image_of(), image_of(stain=odd), image_of(stain=None)]
    assert median_stains(images) == pytest.approx(STAINS)
    assert median_stains([image_of(stain=None)]) is None


def test_each_class_with_nuclei_has_a_panel():
    nuclei = Nuclei(np.array([1, 1, 3], np.int64), np.array([40, 60, 500], np.int64))
    figure = draw_sizes([image_of(mpp=0.5, nuclei=nuclei)], "toy", ("background", "a", "b", "c"))
    titles = [axes.get_title(loc="left") for axes in figure.axes[1:]]
    assert titles == ["a: 2 nuclei, median 12 µm²", "c: 1 nuclei, median 125 µm²"]  # (10 + 15) / 2 and 500 * 0.25


@pytest.mark.parametrize("image", [image_of(), image_of(stain=None), image_of(look=Look(0.0))])
def test_figures_are_drawn_without_nuclei_stains_or_tissue(image, tmp_path):
    for name, figure in (
        ("sizes", draw_sizes([image], "a $b$", ("background",))),
        ("stains", draw_stains([image], "a")),
    ):
        save(figure, tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 1000
