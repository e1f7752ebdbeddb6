"""One palette for pictures of tissue with drawings on it: small files, and no flicker between frames."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from scipy.spatial import cKDTree

COLOURS = 255  # one of GIF's 256 stays free: Pillow marks with it what a frame leaves as it was
SHADES = 6  # steps of a ramp that keeps the edges of letters smooth


def palette(
    image: UInt8[np.ndarray, "height width 3"], drawn: UInt8[np.ndarray, "drawn 3"]
) -> UInt8[np.ndarray, "colours 3"]:
    """Choose 255 colours: those drawn are kept exactly, the rest go to the tissue of `image`.

    Tissue colours come from the image alone, by median cut refined by k-means, so no prediction can shift them.
    """
    exact = np.unique(drawn, axis=0)
    room = COLOURS - len(exact)
    reduced = Image.fromarray(image).quantize(room, method=Image.Quantize.MEDIANCUT, kmeans=3)
    tissue = np.array(reduced.getpalette(), dtype=np.uint8).reshape(-1, 3)[:room]
    return np.concatenate([exact, tissue])


def ramp(first: tuple[int, int, int], last: tuple[int, int, int]) -> UInt8[np.ndarray, "shades 3"]:
    """Colours from one to the other, ends included.

    >>> ramp((0, 0, 0), (255, 255, 255))[:, 0]
    array([  0,  51, 102, 153, 204, 255], dtype=uint8)
    """
    share = np.linspace(0, 1, SHADES)[:, None]
    return np.round((1 - share) * np.array(first) + share * np.array(last)).astype(np.uint8)


def indexed(
    pixels: UInt8[np.ndarray, "height width 3"], colours: UInt8[np.ndarray, "colours 3"]
) -> UInt8[np.ndarray, "height width"]:
    """Index of the nearest palette colour (Euclidean in RGB) of each pixel; no dithering, which would flicker."""
    codes = pixels.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    distinct, places = np.unique(codes, return_inverse=True)
    rgb = np.stack([distinct >> 16, distinct >> 8 & 255, distinct & 255], axis=1)
    _, nearest = cKDTree(colours.astype(np.float64)).query(rgb.astype(np.float64))
    return nearest.astype(np.uint8)[places].reshape(pixels.shape[:2])


def indexed_image(pixels: UInt8[np.ndarray, "height width 3"], colours: UInt8[np.ndarray, "colours 3"]) -> Image.Image:
    """The picture as a Pillow image of mode "P" with that palette."""
    page = Image.fromarray(indexed(pixels, colours), mode="P")
    page.putpalette(colours.tobytes())
    return page
