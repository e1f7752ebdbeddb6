"""The overview of a slide: classes and nuclei lie where they are, lengths are true, and any name can be drawn."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from PIL import Image

from histoloom.report.figures.panel_rows import drawable
from histoloom.report.figures.scale_bar import round_length
from histoloom.report.figures.style import DOTS_PER_INCH, save
from histoloom.slides.band_store import BandStore, Grid
from histoloom.slides.class_colours import colours_of
from histoloom.slides.nuclei.table import NucleiTable, write_tables
from histoloom.slides.overview.class_shares import class_shares, nuclei_density
from histoloom.slides.overview.drawing import (
    DENSITY_COLOURS,
    Overview,
    draw_overview,
    drawn_classes,
    drawn_density,
)
from tests.scripts_run import outcome
from tests.slides.made_slides import MadeTissue, write_pyramid

ROOT = Path(__file__).parents[3]
CLASSES = ("background", "Tumor", "gland $x$ 腺")
COLOURS = colours_of(CLASSES)


def store_of(folder, values, mpp=0.5, classes=CLASSES):
    grid = Grid(*values.shape, 1, "uint8", mpp, {"classes": list(classes)})
    store = BandStore.create(folder, grid)
    for band in range(grid.bands):
        first, last = grid.rows(band)
        store.write(band, values[first:last, :, None])
    return store


def table_of(rows, columns):
    count = len(rows)
    return NucleiTable(
        np.ones(count, np.uint8),
        np.full(count, 20, np.int32),
        np.array(rows, np.float64),
        np.array(columns, np.float64),
        np.ones(count, np.float32),
        np.arange(count + 1),
        np.arange(count + 1) * 4,
        np.zeros((4 * count, 2), np.int32),
    )


def overview(height=120, width=150, **values):
    picture = np.random.default_rng(0).normal((225, 160, 200), 8, (height, width, 3)).clip(0, 255).astype(np.uint8)
    shares = np.zeros((height, width, len(CLASSES)), np.uint8)
    shares[..., 0] = 255
    shares[20:60, 30:90] = (0, 255, 0)
    plain = {"picture": picture, "pixel_um": 2.0, "name": "Slide 1", "note": "made", "classes": CLASSES}
    return Overview(**plain | {"shares": shares} | values)


def test_shares_are_those_of_each_block_across_bands(tmp_path):
    values = np.random.default_rng(0).integers(0, 3, (1100, 96), dtype=np.uint8)
    values[:, 90:] = 255
    shares = class_shares(store_of(tmp_path, values), 3, (275, 24), 4.0)
    for index in range(3):
        exact = (values == index).reshape(275, 4, 24, 4).mean((1, 3)) * 255
        assert np.abs(shares[..., index] - exact).max() <= 0.5


def test_large_pixels_are_looked_up_at_evenly_spread_points(tmp_path):
    values = np.zeros((640, 640), np.uint8)
    values[:, :320], values[320:, 480:] = 1, 2
    shares = class_shares(store_of(tmp_path, values), 3, (2, 2), 320.0)
    assert shares[..., 1].tolist() == [[255, 0], [255, 0]]
    assert shares[..., 2].tolist() == [[0, 0], [0, 128]]


def test_a_picture_finer_than_the_working_grid_repeats_its_pixels(tmp_path):
    values = np.array([[0, 1], [2, 255]], np.uint8)
    shares = class_shares(store_of(tmp_path, values), 3, (5, 4), 0.5)  # a row more than there is: rounding
    expected = np.repeat(np.repeat(values, 2, axis=0), 2, axis=1)[[0, 1, 2, 3, 3]]
    assert (shares == (expected[..., None] == np.arange(3)) * 255).all()


def test_density_is_nuclei_by_area_and_cells_at_the_border_are_smaller():
    # Cells of 100 px of 0.5 µm: 0.0025 mm² whole, half of it at the right border.
    tables = [table_of([10, 99.4, 99.6], [10, 10, 10]), table_of([150], [149])]
    density = nuclei_density(tables, (200, 150), 0.5, 100.0)
    assert density == pytest.approx(np.array([[2, 0], [1, 2]]) / 0.0025)


def test_no_nuclei_have_no_density():
    assert nuclei_density([], (10, 10), 1.0, 4.0).tolist() == [[0.0] * 3] * 3


def test_classes_are_tinted_and_large_regions_outlined_inside():
    made = overview()
    made.shares[100, 100] = (0, 0, 255)  # too small for an outline
    drawn = drawn_classes(made.picture, made.shares, COLOURS)
    assert (drawn[20:22, 30:90] == COLOURS[1]).all()
    assert (drawn[30:50, 30:32] == COLOURS[1]).all()
    inside = made.picture[25:55, 35:85] * 0.65 + COLOURS[1] * 0.35
    assert np.abs(drawn[25:55, 35:85] - inside).max() <= 0.5 + 1e-3
    assert (drawn[19, 30:90] == 255).all()  # around dark colours, white
    assert np.abs(drawn[100, 100] - (made.picture[100, 100] * 0.65 + COLOURS[2] * 0.35)).max() <= 0.5 + 1e-3
    untouched = np.ones(drawn.shape[:2], bool)
    untouched[19:61, 29:91] = untouched[100, 100] = False
    assert (drawn[untouched] == made.picture[untouched]).all()


def test_the_border_of_the_picture_is_no_border_of_a_region():
    shares = np.zeros((40, 40, 3), np.uint8)
    shares[..., 1] = 255
    drawn = drawn_classes(np.full((40, 40, 3), 200, np.uint8), shares, COLOURS)
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) == 1


def test_density_is_drawn_in_its_cells_and_not_where_there_are_no_nuclei():
    picture = np.full((20, 30, 3), (200, 100, 150), np.uint8)
    drawn = drawn_density(picture, np.array([[0.0, 5.0, 10.0], [0, 0, 0]]), 10.0)
    assert (drawn[:10, 20:] == np.rint(np.array(DENSITY_COLOURS(1.0)[:3]) * 255)).all()
    assert len(np.unique(drawn[:10, 10:20].reshape(-1, 3), axis=0)) == 1
    assert (drawn[:, :10] == 213).all()  # 150 * 0.4 + 255 * 0.6
    assert (drawn[10:] == 213).all()


@pytest.mark.parametrize(
    ("longest", "length"), [(1.0, 1), (1.99, 1), (2.0, 2), (49.9, 20), (50.0, 50), (1e4, 1e4), (0.07, 0.05)]
)
def test_a_scale_bar_has_a_round_length(longest, length):
    assert round_length(longest) == pytest.approx(length)


@pytest.mark.parametrize(("pixel_um", "text", "length_um"), [(2.0, "200 µm", 200), (25.0, "2 mm", 2000)])
def test_the_scale_bar_is_as_long_as_it_says(pixel_um, text, length_um):
    figure = draw_overview(overview(pixel_um=pixel_um))
    (bar,) = [
        artist
        for artist in figure.findobj(Rectangle)
        if artist.get_transform() is not None and artist in figure.artists
    ]
    width_px = bar.get_width() * figure.get_size_inches()[0] * DOTS_PER_INCH
    assert width_px * pixel_um == pytest.approx(length_um)
    assert text in [each.get_text() for each in figure.texts]


@pytest.mark.parametrize(
    ("height", "width", "shape"), [(300, 500, (620, 500)), (500, 500, (500, 1020)), (500, 100, (500, 220))]
)
def test_panels_stand_side_by_side_or_one_below_the_other(height, width, shape):
    figure = draw_overview(overview(height, width))
    (image,) = figure.axes[0].images
    assert image.get_array().shape[:2] == shape
    box = figure.axes[0].get_window_extent()
    assert (box.height, box.width) == pytest.approx(shape)


@pytest.mark.parametrize("size", [(120, 150), (600, 560), (700, 60)])
def test_nothing_is_cut_off_or_lies_on_the_picture(size):
    density = np.full((3, 3), 123_456.0)
    made = overview(*size, name="x" * 200, density=density, cell=max(size) / 3)
    figure = draw_overview(made)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    page, picture = figure.bbox, figure.axes[0].get_window_extent()
    boxes = [
        text.get_window_extent(renderer) for text in figure.findobj(Text) if text.get_visible() and text.get_text()
    ]
    boxes = [box for box in boxes if box.width > 0]
    assert len(boxes) > 6
    for box in boxes:
        assert page.x0 <= box.x0 < box.x1 <= page.x1
        assert page.y0 <= box.y0 < box.y1 <= page.y1
        assert not box.overlaps(picture)


def test_letters_that_the_font_lacks_are_replaced(tmp_path):
    assert drawable("µ é ß") == "µ é ß"
    figure = draw_overview(overview(name="切片 $1$\t"))
    save(figure, tmp_path / "a.png")  # a missing glyph would warn, which is an error in tests
    assert "�� $1$�" in [text.get_text() for text in figure.texts]


def test_the_script_draws_a_slide_twice_alike(tmp_path):
    made = MadeTissue(600, 800)
    path = write_pyramid(tmp_path / "a.tif", made.rows, 600, 800, mpp=0.25, levels=2)
    facts = {"name": "Slide 1", "slide": "a.tif", "width": 800, "height": 600, "mpp": 0.25, "tissue_mpp": 8.0}
    (tmp_path / "slide.json").write_text(json.dumps(facts))
    store_of(tmp_path / "classes", made.tissue(0, 600)[::2, ::2].astype(np.uint8))
    nuclei = made.nuclei() / 2
    (tmp_path / "nuclei").mkdir()
    write_tables(tmp_path / "nuclei", [table_of(nuclei[:, 1], nuclei[:, 0])])
    words = ["scripts/draw_overview.py", "--slide", path, "--slide-json", tmp_path / "slide.json", "--classes"]
    words += [
        tmp_path / "classes",
        "--nuclei",
        tmp_path / "nuclei",
        "--cell-um",
        50,
        "--model-name",
        "m",
        "--longest-px",
    ]
    pictures = []
    for name in ("1.png", "2.png"):
        assert outcome([str(word) for word in (*words, 400, "--figure", tmp_path / name)]) == "done"
        pictures.append((tmp_path / name).read_bytes())
    assert pictures[0] == pictures[1]
    with Image.open(tmp_path / "1.png") as page:
        assert page.width == 900
        assert page.text["Description"] == "Slide 1: Tumor, gland $x$ 腺 by m"
        pixels = np.asarray(page.convert("RGB")).reshape(-1, 3)
    assert (pixels == COLOURS[1]).all(1).sum() > 500  # the outline of the ellipse


@pytest.mark.parametrize("has_nuclei", [True, False])
def test_density_is_drawn_only_of_a_dataset_that_tells_nuclei_apart(tmp_path, monkeypatch, has_nuclei):
    store_of(tmp_path / "classes", np.zeros((300, 400), np.uint8))
    (tmp_path / "nuclei").mkdir()
    write_tables(tmp_path / "nuclei", [table_of(np.array([50.0]), np.array([60.0]))])
    described = {"name": "d", "reader": "folder", "classes": ["background", "tumour"], "has_instances": has_nuclei}
    described |= {"licence": "l", "citation": "c", "facts": {}, "warnings": []}
    (tmp_path / "dataset.json").write_text(json.dumps(described))
    words = ["--slide", "a", "--slide-json", "b", "--classes", tmp_path / "classes", "--nuclei", tmp_path / "nuclei"]
    words += ["--dataset", tmp_path / "dataset.json", "--cell-um", 50, "--model-name", "m", "--longest-px", 400]
    monkeypatch.setattr(sys, "argv", ["draw_overview.py", *map(str, words), "--figure", "c.png"])
    script = runpy.run_path(str(ROOT / "scripts" / "draw_overview.py"))
    facts = {"name": "Slide 1", "width": 800, "height": 600, "mpp": 0.25}
    made = script["overview_of"](script["parse"](), facts, np.full((150, 200, 3), 255, np.uint8), 1.0)
    assert (made.density is not None) == has_nuclei


def test_another_slide_than_that_of_the_facts_is_refused(tmp_path):
    path = write_pyramid(tmp_path / "a.tif", MadeTissue(300, 400).rows, 300, 400, mpp=0.25)
    facts = {"slide": "a.tif", "width": 401, "height": 300, "mpp": 0.25, "tissue_mpp": 8.0}
    (tmp_path / "slide.json").write_text(json.dumps(facts))
    words = [
        "scripts/draw_overview.py",
        "--slide",
        path,
        "--slide-json",
        tmp_path / "slide.json",
        "--classes",
        tmp_path,
    ]
    words += ["--cell-um", 50, "--model-name", "m", "--longest-px", 400, "--figure", tmp_path / "a.png"]
    assert "400 x 300 pixels, in" in outcome([str(word) for word in words])
