"""The GIF of a training: one frame per epoch, true colours, no flicker, small."""

import io

import numpy as np
import pytest
from PIL import Image, ImageSequence

from histoloom.report.animation import (
    HEADER_PX,
    WIDTHS_PX,
    Epoch,
    Probe,
    animate,
    drawn_colours,
    font,
    frame,
    headline,
)
from histoloom.report.overlays import class_colours
from histoloom.report.palettes import indexed, palette

CLASSES = ("background", "nucleus", "stroma")
EOSIN, HAEMATOXYLIN = (231, 170, 200), (98, 70, 150)
TOLERANCE = 4  # of 255, per channel, for a flat colour of tissue


def probe(epochs=3, tiles=4, side=64):
    image = np.full((side, side * tiles, 3), EOSIN, np.uint8)
    image[side // 2 :] = HAEMATOXYLIN
    truth = np.zeros(image.shape[:2], np.uint8)
    truth[20:40, 20:40] = 1
    predicted = [np.roll(truth, 10 * (epochs - n), axis=1) for n in range(1, epochs + 1)]
    return Probe(image, truth, predicted)


def course(scores, best=(1,)):
    return [Epoch(n, score, n in best) for n, score in enumerate(scores, start=1)]


def gif(scores, largest_bytes=3_000_000, **settings):
    settings = {"frames_per_second": 2.5, "hold_seconds": 3.0} | settings
    encoded = animate(probe(len(scores)), course(scores), CLASSES, largest_bytes=largest_bytes, **settings)
    return encoded, Image.open(io.BytesIO(encoded))


@pytest.mark.parametrize("epochs", [1, 2, 7])
def test_there_is_one_frame_per_epoch(epochs):
    assert gif([0.5] * epochs)[1].n_frames == epochs


def test_frames_stay_even_where_the_prediction_does_not_change():
    still = probe(3)
    still = Probe(still.image, still.truth, [still.truth] * 3)
    encoded = animate(
        still, course([0.5] * 3), CLASSES, frames_per_second=2.0, hold_seconds=1.0, largest_bytes=3_000_000
    )
    assert Image.open(io.BytesIO(encoded)).n_frames == 3


def test_the_last_frame_is_held():
    durations = [page.info["duration"] for page in ImageSequence.Iterator(gif([0.1, 0.2, 0.3])[1])]
    assert durations == [400, 400, 3000]


def test_tissue_keeps_its_colours_in_every_frame():
    for page in ImageSequence.Iterator(gif([0.1, 0.2, 0.3])[1]):
        pixels = np.asarray(page.convert("RGB")).astype(int)
        column = pixels[HEADER_PX:, 110]  # left edge of the first tile, clear of outlines
        for colour in (EOSIN, HAEMATOXYLIN):
            assert np.abs(column - colour).max(axis=1).min() <= TOLERANCE


def test_what_does_not_change_does_not_flicker():
    pages = [np.asarray(page.convert("RGB")) for page in ImageSequence.Iterator(gif([0.1, 0.2, 0.3])[1])]
    top = HEADER_PX + 10
    assert all((page[top : top + 150] == pages[0][top : top + 150]).all() for page in pages)


def test_real_tissue_moves_by_few_grey_levels():
    rng = np.random.default_rng(0)
    share = rng.uniform(size=(128, 128, 1))
    tissue = share * np.array(EOSIN) + (1 - share) * np.array(HAEMATOXYLIN) + rng.normal(0, 8, (128, 128, 3))
    tissue = tissue.clip(0, 255).astype(np.uint8)
    colours = palette(tissue, drawn_colours(3))
    moved = np.abs(colours[indexed(tissue, colours)].astype(int) - tissue).mean()
    assert moved < TOLERANCE


def test_class_colours_are_exact_in_the_palette():
    colours = {tuple(map(int, c)) for c in palette(probe().image, drawn_colours(3))}
    assert len(colours) <= 255
    assert {tuple(map(int, c)) for c in class_colours(3)} <= colours


def test_each_pixel_takes_the_nearest_colour():
    colours = np.array([(0, 0, 0), (200, 0, 0), (255, 255, 255)], np.uint8)
    pixels = np.array([[(10, 5, 0), (150, 30, 20), (250, 240, 230)]], np.uint8)
    assert indexed(pixels, colours).tolist() == [[0, 1, 2]]


def test_the_width_shrinks_until_the_file_is_small_enough():
    wide, _ = gif([0.1, 0.2, 0.3])
    small, opened = gif([0.1, 0.2, 0.3], largest_bytes=len(wide) - 1)
    assert len(small) < len(wide)
    assert opened.width in WIDTHS_PX[1:]


def test_equal_input_gives_equal_bytes():
    assert gif([0.1, 0.2])[0] == gif([0.1, 0.2])[0]


def test_the_header_says_epoch_and_score():
    assert headline(Epoch(3, 0.614, False), 12) == "epoch 3 of 12,  validation score 0.614"
    assert headline(Epoch(1, float("nan"), False), 2) == "epoch 1 of 2,  validation score undefined"


def test_the_longest_header_ends_before_the_line_of_scores():
    for width in WIDTHS_PX:
        text = max(10, round(17 * width / WIDTHS_PX[0]))
        words = headline(Epoch(100, 0.999, False), 100)
        assert text * 0.8 + font(text).getlength(words) < width * 0.64


def test_undefined_scores_are_drawn_as_nothing():
    frame(probe(3), 1, course([float("nan")] * 3, best=()), CLASSES, 900)
