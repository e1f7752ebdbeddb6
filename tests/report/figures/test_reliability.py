"""The reliability figure: its points are shares and means of bins, it is legible, and the script draws stored facts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from PIL import Image
from sklearn.calibration import calibration_curve

from histoloom.evaluate.counting.stored_counts import Counts, write_counts
from histoloom.files import write_json
from histoloom.report.figures.reliability import FEW_PIXELS, description, draw_reliability, image_sum
from histoloom.report.figures.style import save
from tests.scripts_run import outcome

SCRIPT = Path(__file__).parents[3] / "scripts" / "draw_reliability.py"
CLASSES = ("background", "tumour $a$", "stroma")


def pixels(seed=0, power=1.0, count=20_000):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 256, count)
    return rng.random(count) < (values / 255) ** power, values


def histogram(own, values):
    return np.bincount(values + 256 * own, minlength=512)


def rows(power=1.0, classes=3):
    return np.stack([histogram(*pixels(seed, power)) for seed in range(classes)])


def stored(architecture, facts, names=("a", "b"), folds=(0, 0)):
    images = pd.DataFrame({"fold": folds, "name": names, "group": names, "stratum": ""})
    confusion = np.tile(np.eye(3, dtype=np.int64), (len(names), 1, 1))
    return Counts("lab", architecture, images, {"confusion": confusion, **facts})


def panels(figure):
    """The upper panels that are drawn, by their titles' first lines."""
    named = {panel.get_title(loc="left").partition("\n")[0]: panel for panel in figure.axes}
    return {name: panel for name, panel in named.items() if name}


def test_points_are_the_shares_and_mean_probabilities_of_scikit_learn():
    own, values = pixels(power=2.0)
    values = np.where((values % 17 == 0) & (values > 0), values - 1, values)  # no value on a limit between bins
    figure = draw_reliability({"unet": histogram(own, values)[None].repeat(2, 0)}, CLASSES[:2], "lab")
    curve = panels(figure)["tumour $a$"].lines[1]
    shares, means = calibration_curve(own, values / 255, n_bins=15)
    np.testing.assert_allclose(curve.get_xdata(), means)
    np.testing.assert_allclose(curve.get_ydata(), shares)


def test_a_bin_with_few_pixels_has_no_point():
    counts = histogram(np.zeros(2 * FEW_PIXELS - 1, np.int64), np.repeat([0, 255], [FEW_PIXELS, FEW_PIXELS - 1]))
    figure = draw_reliability({"unet": counts[None].repeat(2, 0)}, CLASSES[:2], "lab")
    assert panels(figure)["tumour $a$"].lines[1].get_xdata().tolist() == [0]


def test_a_single_class_is_its_own_foreground_and_several_have_a_panel_each_beside_it():
    assert list(panels(draw_reliability({"unet": rows()[:2]}, CLASSES[:2], "lab"))) == ["tumour $a$"]
    assert list(panels(draw_reliability({"unet": rows()}, CLASSES, "lab"))) == ["foreground", *CLASSES[1:]]


def test_the_title_states_the_calibration_error_or_its_range():
    certain = histogram(np.repeat([1, 0], [300, 100]), np.full(400, 255))[None].repeat(2, 0)  # says 1, is 3/4
    right = histogram(np.ones(400, np.int64), np.full(400, 255))[None].repeat(2, 0)
    one, two = (
        panels(draw_reliability(each, CLASSES[:2], "lab"))["tumour $a$"].get_title(loc="left").splitlines()[1]
        for each in ({"unet": certain}, {"unet": certain, "deeplab": right})
    )
    assert (one, two) == ("ECE 0.250", "ECE 0.000 to 0.250")
    said = description({"unet": certain, "deeplab": right}, CLASSES[:2])
    assert said == "expected calibration error of tumour $a$: unet 0.250, deeplab 0.000"


def test_an_image_that_two_folds_tested_counts_once():
    facts = {"probabilities": np.zeros((3, 3, 512), np.int64)}
    facts["probabilities"][:, 1, 7] = 10, 20, 40
    total = image_sum(stored("unet", facts, names=("a", "a", "b"), folds=(0, 1, 1)))
    assert total.shape == (3, 512)
    assert total[1, 7] == 15 + 40


def test_each_architecture_has_its_own_look():
    figure = draw_reliability({f"net {number}": rows() for number in range(20)}, CLASSES, "lab")
    curves = panels(figure)["stroma"].lines[1:]
    assert len({(line.get_color(), line.get_marker(), line.get_linestyle()) for line in curves}) == 20


@pytest.mark.parametrize("names", [["unet"], [f"architecture number {number}" for number in range(9)]])
@pytest.mark.parametrize("classes", [CLASSES[:2], CLASSES, ("background", *(f"class {n}" for n in range(6)))])
def test_all_text_is_inside_the_figure_and_at_least_eight_points(names, classes):
    figure = draw_reliability({name: rows(classes=len(classes)) for name in names}, classes, "lab")
    figure.draw_without_rendering()
    width, height = figure.get_size_inches()
    drawn = figure.get_tightbbox()
    assert drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height
    sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text()]
    assert min(sizes) >= 8
    legend = figure.legends[0].get_window_extent()
    assert not any(legend.overlaps(panel.get_window_extent()) for panel in figure.axes)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [*names, "as predicted"]


def test_pixel_axes_have_two_labels_even_where_all_bins_hold_alike():
    counts = histogram(np.zeros(400, np.int64), np.full(400, 100))[None].repeat(2, 0)
    figure = draw_reliability({"unet": counts}, CLASSES[:2], "lab")
    assert figure.axes[1].get_ylim() == (100, 1000)


def test_equal_input_gives_equal_bytes(tmp_path):
    for name in ("first", "second"):
        save(draw_reliability({"unet": rows()}, CLASSES, "lab"), tmp_path / f"{name}.png")
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def run(folder, *counts):
    write_json(
        folder / "dataset.json",
        {"name": "lab", "reader": "made", "classes": CLASSES, "has_instances": False}
        | {"licence": "", "citation": "", "facts": {}, "warnings": []},
    )
    paths = [folder / f"{number}.npz" for number in range(len(counts))]
    for path, each in zip(paths, counts, strict=True):
        write_counts(path, each)
    flags = ["--counts", *map(str, paths), "--dataset", str(folder / "dataset.json"), "--figure", str(folder / "f.png")]
    return outcome([str(SCRIPT), *flags])


def test_the_script_draws_those_with_probabilities_and_leaves_out_the_others(tmp_path):
    facts = {"probabilities": np.stack([rows(), rows(2.0)])}
    baseline = {"probabilities": np.zeros((2, 3, 512), np.int64)}
    assert run(tmp_path, stored("unet", facts), stored("otsu", baseline), stored("no fact", {})) == "done"
    with Image.open(tmp_path / "f.png") as picture:
        assert picture.width > 1000


def test_the_script_says_what_to_do_where_no_probability_is_counted(tmp_path):
    said = run(tmp_path, stored("unet", {}))
    assert "no probabilities are counted" in said
    assert "name a metric of probabilities, such as ece, in evaluate.metrics" in said
    assert not (tmp_path / "f.png").exists()
