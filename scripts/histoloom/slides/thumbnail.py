"""A whole slide as one small picture."""

import math

import numpy as np
from jaxtyping import UInt8

from histoloom.errors import InputError
from histoloom.formats.slides.slide import Slide
from histoloom.limits import limit, raising


def thumbnail(slide: Slide, downsample: int) -> UInt8[np.ndarray, "height width 3"]:
    """The slide as RGB, `downsample` full-resolution pixels a side for each pixel: their mean, rounded.

    Sides are rounded up, so every pixel of the slide is in one of the picture's; what is left over at the right and
    lower border, less than a pixel of the picture, is shown by the pixel beside it.
    `downsample` is at most the shorter side. Raises InputError where a tile of the slide cannot be decoded.
    """
    width, height = slide.size_at(downsample)
    rows, columns = thumbnail_shape(slide, downsample)
    picture = slide.read(0, 0, width, height, downsample)
    return np.pad(picture, ((0, rows - height), (0, columns - width), (0, 0)), mode="edge")


def thumbnail_shape(slide: Slide, downsample: int) -> tuple[int, int]:
    """Height and width of the thumbnail; InputError where these are more than limits.image_pixels.

    How large it becomes hangs on the µm per pixel that the slide's file states, which may be anything.
    """
    rows, columns = -(-slide.height // downsample), -(-slide.width // downsample)
    if rows * columns > (most := limit("image_pixels")):
        raise InputError(
            f"{slide.path}: a small picture of it would have {columns:,} x {rows:,} pixels, at {slide.mpp} µm per "
            f"pixel of the slide; expected at most {most:,}; state its mpp if that is wrong, or "
            f"{raising('image_pixels')}"
        )
    return rows, columns


def near_downsample(slide: Slide, wanted: float) -> int:
    """The downsample next to `wanted` at which a thumbnail is read quickly: 1 or more, at most the slide's sides."""
    step = _step(slide, wanted)
    return max(1, min(round(wanted / step) * step, slide.width, slide.height))


def downsample_to(slide: Slide, longest_px: int) -> int:
    """The downsample by which the thumbnail's sides become at most `longest_px`, rounded up to one read quickly."""
    wanted = max(slide.width, slide.height) / longest_px
    step = _step(slide, wanted)
    return max(1, min(math.ceil(wanted / step) * step, slide.width, slide.height))


def _step(slide: Slide, wanted: float) -> int:
    # Slide.read takes a level of at least twice the resolution whose factor divides the downsample: where there is one,
    # only a multiple of it spares reading the whole slide at full resolution.
    factors = (round(level.factor) for level in slide.levels)
    return max((factor for factor in factors if 1 <= factor <= wanted / 2), default=1)
