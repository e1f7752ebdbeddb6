"""The contact sheet of augmentation holds the tiles that training gets, in their places, and says what they are."""

import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from histoloom.files import write_json, write_table
from histoloom.report.figures.augmentations import (
    GAP_PX,
    LEGEND_PX,
    PANEL_PX,
    ROW_TITLE_PX,
    Row,
    draw_augmentations,
    drawn_colours,
)
from histoloom.report.figures.style import save_tissue
from histoloom.report.overlays import class_colours
from histoloom.train.data.augmentation.strengths import Augmentation
from histoloom.train.data.augmentation.tiles import augmented_tile, sample_rng

SCRIPT = Path(__file__).parents[3] / "scripts" / "draw_augmentations.py"
CLASSES = ("background", "tumour $a$", "stroma")
TILE = 64
STRENGTHS = replace(Augmentation.none(), flip=True, right_angle=True, rotation_deg=20.0, brightness=0.2, stain=0.2)


def tissue(seed, size=160):
    """Soft random colours, so that each place looks different, and one rectangle of class 1."""
    blocks = np.random.default_rng(seed).normal((215, 150, 195), 25, (size // 8, size // 8, 3)).clip(0, 255)
    mask = np.zeros((size, size), np.uint8)
    mask[90:110, 90:120] = 1
    return np.kron(blocks, np.ones((8, 8, 1))).astype(np.uint8), mask


def rows(count=2, size=TILE):
    image, mask = tissue(0)
    mask[:30] = 255
    tile = (image[:size, :size], mask[:size, :size])
    return [Row(f"image_{place}, row 0, column 0", [tile] * 7) for place in range(count)]


def write_tiles(folder):
    """Write a store of three images with four windows each; fold 1 trains on "a" and "b"."""
    images = {name: tissue(seed) for seed, name in enumerate("abc")}
    size = 160
    np.save(folder / "images.npy", np.concatenate([image.reshape(-1, 3) for image, _ in images.values()]))
    np.save(folder / "masks.npy", np.concatenate([mask.ravel() for _, mask in images.values()]))
    np.save(folder / "instances.npy", np.zeros(0, np.int32))
    places = [(name, place * size * size, size, size, "") for place, name in enumerate(images)]
    write_table(folder / "images.csv", ("name", "offset", "height", "width", "stratum"), places)
    starts = (0, 96)
    windows = [(name, row, column) for name in images for row in starts for column in starts]
    write_table(folder / "windows.csv", ("name", "row", "column"), windows)
    parts = [(1, "train", "a"), (1, "train", "b"), (1, "val", "c"), (0, "train", "c")]
    write_table(folder / "folds.csv", ("fold", "part", "name"), parts)
    facts = {
        "name": "toy",
        "reader": "folder",
        "classes": CLASSES,
        "has_instances": False,
        "licence": "",
        "citation": "",
    }
    write_json(folder / "dataset.json", facts | {"facts": {}, "warnings": []})
    return images


def run_script(folder, fold=1):
    files = {"images": "images.npy", "masks": "masks.npy", "instances": "instances.npy", "image-table": "images.csv"}
    files |= {"windows": "windows.csv", "folds": "folds.csv", "dataset": "dataset.json", "figure": "sheet.png"}
    flags = {name: folder / file for name, file in files.items()} | {"fold": fold, "tile-px": TILE, "seed": 3}
    flags |= {each.name.replace("_", "-"): str(getattr(STRENGTHS, each.name)).lower() for each in fields(STRENGTHS)}
    words = [str(word) for name, value in flags.items() for word in (f"--{name}", value)]
    return subprocess.run([sys.executable, SCRIPT, *words], capture_output=True, text=True, check=False)


def panels(path, count):
    """Panels of a sheet, cut out of the picture where the geometry says: from the left edge, rows from below."""
    picture = np.asarray(Image.open(path).convert("RGB"))
    row_px = ROW_TITLE_PX + PANEL_PX
    tops = [picture.shape[0] - LEGEND_PX - below * row_px + ROW_TITLE_PX for below in range(count, 0, -1)]
    lefts = [GAP_PX + place * (PANEL_PX + GAP_PX) for place in range(7)]
    return [[picture[top : top + PANEL_PX, left : left + PANEL_PX] for left in lefts] for top in tops]


def shrunk(panel):
    """A panel back at the size of its tile, each pixel the mean of those it became."""
    side = PANEL_PX // TILE
    return panel.reshape(TILE, side, TILE, side, 3).astype(float).mean(axis=(1, 3))


def test_the_sheet_shows_the_tiles_that_training_gets(tmp_path):
    images = write_tiles(tmp_path)
    done = run_script(tmp_path)
    assert done.returncode == 0, done.stderr
    # The training part has eight windows; of each two in order the one with the class counts: it touches 3 and 7, and
    # the first of equals else.
    chosen = [(0, "a", 0, 0), (3, "a", 96, 96), (4, "b", 0, 0), (7, "b", 96, 96)]
    for (sample, name, row, column), found in zip(chosen, panels(tmp_path / "sheet.png", 4), strict=True):
        image, mask = images[name]
        versions = [
            augmented_tile(image, (mask,), row, column, TILE, STRENGTHS, sample_rng(3, epoch, sample))[0]
            for epoch in range(1, 7)
        ]
        expected = [image[row : row + TILE, column : column + TILE], *versions]
        apart = [[np.abs(shrunk(panel) - tile).mean() for tile in expected] for panel in found]
        assert np.argmin(apart, axis=1).tolist() == list(range(7))  # each is its own tile and no other
        assert np.diag(apart).max() < 6  # few colours, enlarged, and outlines
        assert np.sort(apart, axis=1)[:, 1].min() > 9


def test_outlines_are_drawn_in_the_colour_of_the_class_and_only_there(tmp_path):
    figure = draw_augmentations(rows(), "toy", {}, CLASSES)
    plain = figure.axes[0].images[0].get_array()
    assert not (plain == class_colours(2)[1]).all(axis=2).any()  # class 1 begins at row 90, beyond this tile
    assert (plain == 128).all(axis=2).any()  # hatched where nobody annotated
    image, mask = tissue(0)
    row = Row("a", [(image[64:128, 64:128], mask[64:128, 64:128])])
    drawn = (draw_augmentations([row], "toy", {}, CLASSES).axes[0].images[0].get_array() == class_colours(2)[1]).all(2)
    rows_drawn, columns_drawn = np.nonzero(drawn)
    # The rectangle's rows 26 to 46 and columns 26 to 56 of the tile, four times as large.
    assert (rows_drawn.min(), rows_drawn.max()) == (26 * 4, 46 * 4 - 1)
    assert (columns_drawn.min(), columns_drawn.max()) == (26 * 4, 56 * 4 - 1)


def test_the_sheet_says_what_it_shows():
    figure = draw_augmentations(rows(), "toy: tiles", STRENGTHS.active, CLASSES)
    words = [text.get_text() for text in figure.texts]
    assert words[:2] == ["toy: tiles", "flip, right_angle, rotation_deg 20, brightness 0.2, stain 0.2"]
    assert words[2:9] == ["as it is", *(f"epoch {epoch}" for epoch in range(1, 7))]
    assert words[9:] == ["image_0, row 0, column 0", "image_1, row 0, column 0"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["tumour $a$", "stroma", "not annotated"]
    assert "no augmentation" in [text.get_text() for text in draw_augmentations(rows(), "", {}, CLASSES).texts]


@pytest.mark.parametrize("size", [32, 64, 160])
def test_all_text_is_inside_and_tiles_of_any_size_fill_their_panel(size):
    everything = {each.name: 1 for each in fields(Augmentation)}
    figure = draw_augmentations([replace(rows(1, size)[0], title="x" * 300)], "t", everything, CLASSES)
    figure.draw_without_rendering()
    width, height = figure.get_size_inches()
    drawn = figure.get_tightbbox()
    assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height
    assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text()) >= 8
    assert {axes.images[0].get_array().shape for axes in figure.axes} == {(PANEL_PX, PANEL_PX, 3)}


def test_equal_input_gives_equal_bytes(tmp_path):
    for name in ("first", "second"):
        save_tissue(draw_augmentations(rows(), "toy", {}, CLASSES), tmp_path / f"{name}.png", drawn_colours(3), "toy")
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def test_a_fold_without_training_windows_is_refused(tmp_path):
    write_tiles(tmp_path)
    write_table(tmp_path / "windows.csv", ("name", "row", "column"), [("a", 0, 0)])
    done = run_script(tmp_path, fold=0)
    assert done.returncode == 1
    assert "windows.csv: no window of the train part of fold 0; expected one at least" in done.stderr


def test_drawing_the_sheet_loads_no_torch():
    code = f"import runpy, sys; runpy.run_path({str(SCRIPT)!r}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=SCRIPT.parent, check=False).returncode == 0
