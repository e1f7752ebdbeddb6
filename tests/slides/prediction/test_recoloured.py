"""A slide gets the stain of the reference as an image would, from samples of its tissue, however its rows are cut."""

import numpy as np
import pytest

from histoloom import plugins
from histoloom.colour.stain import angle_deg, stain_vectors, tissue_mask
from histoloom.formats.slides.slide import Slide
from histoloom.predict.engine.pixels import ImagePixels
from histoloom.slides.prediction.recoloured import SAMPLES, recoloured, sampled_tissue
from tests.colour.test_stain import UNUSABLE, stained
from tests.slides.made_slides import write_pyramid

METHODS = plugins.names("normalisers")


def tissue_of(image):
    return image[tissue_mask(image)]


@pytest.mark.parametrize("method", METHODS)
def test_rows_are_those_of_the_image_normalised_as_a_whole(method):
    image, reference = stained(height=90, width=70), [tissue_of(stained("blue"))]
    pixels, reason = recoloured(ImagePixels(image), tissue_of(image), method, reference)
    assert (reason, pixels.height, pixels.width) == ("", 90, 70)
    whole = plugins.load("normalisers", method)(reference)(tissue_of(image))(image)
    assert not np.array_equal(whole, image)
    np.testing.assert_array_equal(np.concatenate([pixels.rows(0, 33), pixels.rows(33, 34), pixels.rows(34, 90)]), whole)


def test_the_stains_become_those_of_the_reference():
    image, reference = stained(height=90, width=70), stained("blue")
    pixels, _ = recoloured(ImagePixels(image), tissue_of(image), "macenko", [tissue_of(reference)])
    result = pixels.rows(0, 90)
    for found, wanted in zip(
        stain_vectors(result, tissue_mask(result)), stain_vectors(reference, tissue_mask(reference)), strict=True
    ):
        assert angle_deg(found, wanted) < 2


@pytest.mark.parametrize("name", ["glass", "one colour", "few pixels"])
def test_what_cannot_be_measured_stays_as_it_is_and_the_reason_is_given(name):
    image = UNUSABLE[name]
    pixels, reason = recoloured(ImagePixels(image), tissue_of(image), "macenko", [tissue_of(stained("blue"))])
    assert reason
    np.testing.assert_array_equal(pixels.rows(0, len(image)), image)


def test_samples_are_of_tissue_within_the_mask(tmp_path):
    # Three quarters of the slide are stained, but the mask names one corner, of other colours than the rest.
    image = np.full((1200, 1200, 3), 245, np.uint8)
    image[:600], image[600:, :600] = (200, 120, 180), (120, 60, 160)
    path = tmp_path / "slide.tif"
    write_pyramid(path, lambda first, last: image[first:last], 1200, 1200, mpp=0.5, compression="deflate")
    mask = np.zeros((30, 30), bool)
    mask[25:, :5] = True  # of 40 pixels a side: the last 200 rows, the first 200 columns
    with Slide(path) as slide:
        sample = sampled_tissue(slide, mask, 1.0)
        assert sampled_tissue(slide, np.zeros((30, 30), bool), 1.0).shape == (0, 3)
    assert 0 < len(sample) <= SAMPLES * 256**2
    assert (np.unique(sample, axis=0) == [(120, 60, 160)]).all()
