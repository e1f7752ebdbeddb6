"""The animation of a training: one frame per epoch, true colours, no flicker, small; as GIF and as WebP."""

import io

import numpy as np
import pytest
from PIL import Image, ImageSequence

from histoloom.report.animation.drawing import (
    HEADER_PX,
    WIDTHS_PX,
    Epoch,
    Probe,
    drawn_colours,
    font,
    frame,
    headline,
    stage,
)
from histoloom.report.animation.encoding import Timing, animate, encode_gif, encode_webp, shown_places
from histoloom.report.animation.palettes import indexed, palette
from histoloom.report.overlays import class_colours

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


def gif(scores, largest_bytes=3_000_000, encode=encode_gif, made=None):
    made = made or probe(len(scores))
    encoded = animate(encode, made, course(scores), CLASSES, Timing(2.5, 3.0), largest_bytes)
    return encoded, Image.open(io.BytesIO(encoded))


@pytest.mark.parametrize("encode", [encode_gif, encode_webp])
@pytest.mark.parametrize("epochs", [1, 4])
def test_there_is_one_frame_per_epoch(epochs, encode):
    assert gif([0.5] * epochs, encode=encode)[1].n_frames == epochs


@pytest.mark.parametrize("encode", [encode_gif, encode_webp])
def test_frames_stay_even_where_the_prediction_does_not_change(encode):
    still = probe(3)
    still = Probe(still.image, still.truth, [still.truth] * 3)
    assert gif([0.5] * 3, encode=encode, made=still)[1].n_frames == 3


def durations(opened):
    found = []
    for place in range(opened.n_frames):
        opened.seek(place)
        opened.load()  # WebP knows a frame's time when it is decoded
        found.append(opened.info["duration"])
    return found


@pytest.mark.parametrize("encode", [encode_gif, encode_webp])
def test_frames_follow_at_the_pace_asked_for_and_the_last_is_held(encode):
    assert durations(gif([0.1, 0.2, 0.3], encode=encode)[1]) == [400, 400, 3000]
    assert 2 <= 1000 / 400 <= 3


@pytest.mark.parametrize("encode", [encode_gif, encode_webp])
def test_an_animation_runs_again_and_again(encode):
    assert gif([0.1, 0.2], encode=encode)[1].info["loop"] == 0


def test_gif_and_webp_hold_the_same_pixels_and_the_webp_is_smaller():
    (small, webp), (large, plain) = (gif([0.1, 0.2, 0.3], encode=encode) for encode in (encode_webp, encode_gif))
    assert len(small) < len(large)
    for place in range(3):
        webp.seek(place)
        plain.seek(place)
        assert (np.asarray(webp.convert("RGB")) == np.asarray(plain.convert("RGB"))).all()


def test_tissue_keeps_its_colours_in_every_frame():
    for page in ImageSequence.Iterator(gif([0.1, 0.2, 0.3])[1]):
        pixels = np.asarray(page.convert("RGB")).astype(int)
        column = pixels[HEADER_PX:, 110]  # left edge of the first tile, clear of outlines
        for colour in (EOSIN, HAEMATOXYLIN):
            assert np.abs(column - colour).max(axis=1).min() <= TOLERANCE


def test_each_tile_that_is_all_one_class_is_framed_by_itself():
    made = probe(1, tiles=2)
    full = np.zeros_like(made.truth)
    full[:, :64] = 1
    drawn = frame(stage(Probe(made.image, full, [full]), CLASSES, WIDTHS_PX[0]), full, 0, course([0.5]))
    line = (drawn[HEADER_PX:] == class_colours(2)[1]).all(-1)
    tile = (WIDTHS_PX[0] - 96 - 6) // 2  # less the rows' names and a gap
    middle = line[-30 - tile // 2]  # through the prediction, above the legend
    assert middle.nonzero()[0].tolist() == [96, 97, 96 + tile - 5, 96 + tile - 4]


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


def test_a_training_too_long_for_that_shows_fewer_epochs():
    made, scores = probe(9, tiles=10, side=24), [0.5] * 9
    narrow, opened = gif(scores, largest_bytes=1, made=made)
    assert opened.n_frames == 3  # first, eighth, last: no smaller attempt is left
    encoded, opened = gif(scores, largest_bytes=round(1.2 * len(narrow)), made=made)
    assert len(narrow) <= len(encoded) <= 1.2 * len(narrow)
    assert opened.width == WIDTHS_PX[-1] and 3 <= opened.n_frames < 9


def test_the_first_last_and_kept_epochs_are_always_shown():
    assert shown_places(course([0.5] * 10, best=(1, 5)), 4) == [0, 3, 4, 7, 9]
    assert shown_places(course([0.5] * 10, best=()), 1) == list(range(10))


@pytest.mark.parametrize("encode", [encode_gif, encode_webp])
def test_equal_input_gives_equal_bytes(encode):
    assert gif([0.1, 0.2], encode=encode)[0] == gif([0.1, 0.2], encode=encode)[0]


def test_the_header_says_epoch_and_score():
    assert headline(Epoch(3, 0.614, False), 12) == "epoch 3 of 12,  validation score 0.614"
    assert headline(Epoch(1, float("nan"), False), 2) == "epoch 1 of 2,  validation score undefined"


def test_the_longest_header_ends_before_the_line_of_scores():
    for width in WIDTHS_PX:
        text = max(10, round(17 * width / WIDTHS_PX[0]))
        words = headline(Epoch(100, 0.999, False), 100)
        assert text * 0.8 + font(text).getlength(words) < width * 0.64
    smallest = font(max(10, max(10, round(17 * 440 / 680)) - 4))
    note = "best so far: epoch 888,  888 of 888 epochs shown"
    assert 9 + smallest.getlength(note) < 440 * 0.64


def test_undefined_scores_are_drawn_as_nothing():
    made = probe(3)
    frame(stage(made, CLASSES, 900), made.predicted[1], 1, course([float("nan")] * 3, best=()))


def test_truth_stays_beside_each_prediction():
    made = probe(2)
    on = stage(made, CLASSES, 680)
    first, second = (frame(on, predicted, place, course([0.1, 0.2])) for place, predicted in enumerate(made.predicted))
    top = on.corner[1]
    assert (first[HEADER_PX:top] == second[HEADER_PX:top]).all()
    assert (first[top:] != second[top:]).any()
    assert (first[:HEADER_PX] != second[:HEADER_PX]).any()
    height = on.tissue.shape[0]
    truth = first[top - height - on.gap_px : top - on.gap_px, on.corner[0] :]
    green = (truth == class_colours(3)[1]).all(axis=-1)
    scale = height / 64
    assert np.argwhere(green).min(axis=0) == pytest.approx([20 * scale] * 2, abs=1)


def test_the_legend_names_what_was_not_annotated_only_where_there_is_some():
    made = probe(1)
    hatched = Probe(made.image, np.where(made.truth == 1, np.uint8(255), made.truth), made.predicted)
    plain, with_it = (np.asarray(stage(each, CLASSES, 680).canvas)[-30:] for each in (made, hatched))
    assert (with_it == 128).all(axis=-1).any() and not (plain == 128).all(axis=-1).any()
