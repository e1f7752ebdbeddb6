from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from histoloom.errors import InputError
from histoloom.prepare.inspection.measuring import Look, Measured
from histoloom.prepared import IndexRow
from histoloom.report.figures.sheet import CROP_PX, Example, _cropped, choose_examples, draw_sheet
from histoloom.report.figures.style import save

STAINED = (150, 80, 160)


def image_of(name: str, group: str = "", stratum: str = "Colon", foreground: int = 5) -> Measured:
    path = Path(f"{name}.png")
    row = IndexRow(name, path, path, None, 4, 5, None, group or name, stratum, None, "", name)
    return Measured(row, (4, 5), (4, 5), np.bincount([1] * foreground, minlength=256), Look(0.5))


def test_examples_share_out_the_strata():
    images = [image_of(f"{organ}{n}", stratum=organ) for organ in ("Skin", "Liver") for n in range(5)]
    assert [chosen.name for chosen in choose_examples(images, 4)] == ["Liver0", "Skin0", "Liver2", "Skin2"]


def test_examples_come_from_different_groups():
    images = [image_of(f"{case}-{n}", group=case) for case in ("c1", "c2", "c3") for n in range(4)]
    assert [chosen.name for chosen in choose_examples(images, 4)] == ["c1-0", "c2-0", "c3-0", "c1-1"]


def test_images_without_foreground_are_chosen_only_for_want_of_others():
    images = [image_of("a", foreground=0), image_of("b"), image_of("c")]
    assert [chosen.name for chosen in choose_examples(images, 2)] == ["b", "c"]
    assert [chosen.name for chosen in choose_examples(images, 9)] == ["a", "b", "c"]


def test_order_of_the_index_does_not_change_the_examples():
    images = [image_of(f"{organ}{n}", stratum=organ) for organ in ("Skin", "Liver") for n in range(5)]
    assert choose_examples(images, 3) == choose_examples(images[::-1], 3)


def test_no_example_is_refused():
    with pytest.raises(InputError, match=r"inspect.examples: 0; expected at least 1 image"):
        choose_examples([image_of("a")], 0)


def test_large_image_shows_the_window_with_most_foreground():
    image, mask = np.zeros((600, 1400, 3), np.uint8), np.zeros((600, 1400), np.uint8)
    mask[590, 1390] = 1
    mask[:, :200] = 255  # not annotated is no foreground
    crop = _cropped(Example(image_of("a").row, image, mask))
    assert crop.mask.shape == (CROP_PX, CROP_PX)
    assert crop.mask.sum() == 1


@pytest.mark.parametrize("count", [1, 3])
def test_sheet_is_drawn_with_every_class_in_its_legend(count, tmp_path):
    mask = np.zeros((64, 96), np.uint8)
    mask[10:30, 10:40], mask[40:60, 50:90] = 1, 255
    examples = [Example(image_of(f"a{n} $x$").row, np.full((64, 96, 3), STAINED, np.uint8), mask) for n in range(count)]
    figure = draw_sheet(examples, "toy", ("background", "tumour", "stroma"))
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["tumour", "stroma", "not annotated"]
    assert len(figure.axes) == count
    save(figure, tmp_path / "sheet.png")
    assert iio.imread(tmp_path / "sheet.png").shape[1] == 900 * min(2, count)
