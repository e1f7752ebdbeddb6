"""A slide in the stain of a model's training images: fitted once to samples of its tissue, then mapped row by row."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from histoloom import plugins
from histoloom.colour.normaliser import Recolouring
from histoloom.colour.stain import EstimateFailed, estimate_stains, tissue_mask
from histoloom.formats.slides.slide import Slide
from histoloom.predict.engine.pixels import Pixels
from histoloom.slides.prediction.slide_pixels import SlidePixels
from histoloom.split.normalisation import read_reference

SAMPLES = 32  # places on the slide, spread evenly over its tissue
SAMPLE_PX = 256  # side of each, in working pixels


class RecolouredPixels:
    """Pixels, each of which is mapped by itself (a histoloom Pixels)."""

    def __init__(self, pixels: Pixels, recolouring: Recolouring) -> None:
        self.pixels, self.recolouring = pixels, recolouring
        self.height, self.width = pixels.height, pixels.width

    def rows(self, first: int, last: int) -> UInt8[np.ndarray, "rows {self.width} 3"]:
        """Rows `first` up to but without `last`, as RGB."""
        return self.recolouring(self.pixels.rows(first, last))


def in_stain_of(
    reference: Path | None, slide: Slide, pixels: SlidePixels, tissue: Bool[np.ndarray, "rows columns"]
) -> tuple[Pixels, str]:
    """The pixels of a slide as a model wants them: in the stain of its reference.npz, or as they are without one.

    The text says why they kept their own stain all the same, and is empty where they did not.
    """
    if reference is None:
        return pixels, ""
    return recoloured(pixels, sampled_tissue(slide, tissue, pixels.downsample), *read_reference(reference))


def recoloured(
    pixels: Pixels, sample: UInt8[np.ndarray, "_ 3"], method: str, reference: Sequence[UInt8[np.ndarray, "_ 3"]]
) -> tuple[Pixels, str]:
    """The pixels of a slide in the stain of a reference, by the normaliser `method`, and "".

    `sample` is tissue of the slide. Where its two stains cannot be told apart, or the method fails, the pixels stay as
    they are, as an image would, and the text says why.
    """
    try:
        estimate_stains(sample)
        recolouring = plugins.load("normalisers", method)(reference)(sample)
    except EstimateFailed as error:
        return pixels, str(error)
    return RecolouredPixels(pixels, recolouring), ""


def sampled_tissue(
    slide: Slide, tissue: Bool[np.ndarray, "rows columns"], downsample: float
) -> UInt8[np.ndarray, "_ 3"]:
    """Tissue pixels at places spread evenly over the mask, at about the working resolution; none where it is empty.

    The mask lies over the whole slide. `downsample` is in full-resolution pixels per working pixel.
    """
    rows, columns = np.nonzero(tissue)
    factor = max(1, round(downsample))
    width, height = slide.size_at(factor)
    picked = np.unique(np.linspace(0, len(rows) - 1, min(SAMPLES, len(rows))).astype(int))
    found = [np.empty((0, 3), np.uint8)]
    for row, column in zip(rows[picked], columns[picked], strict=True):
        left = _start((column + 0.5) / tissue.shape[1], width)
        top = _start((row + 0.5) / tissue.shape[0], height)
        image = slide.read(left, top, min(SAMPLE_PX, width), min(SAMPLE_PX, height), factor)
        found.append(image[tissue_mask(image)])
    return np.concatenate(found)


def _start(share: float, length: int) -> int:
    """First pixel of a sample around a place, moved so that the sample lies in the slide."""
    return int(np.clip(round(share * length) - SAMPLE_PX // 2, 0, max(length - SAMPLE_PX, 0)))
