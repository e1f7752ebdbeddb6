"""Class colours and outlines on H&E: how a mask is shown beside or on its image, the same in every picture.

Colours: Okabe and Ito, "Color Universal Design" (2008), told apart by colour-blind readers. Their order here puts
those first that stand out from the pink and purple of H&E.
"""

import numpy as np
from jaxtyping import Bool, Int32, UInt8
from scipy import ndimage
from skimage.segmentation import find_boundaries

from histoloom.errors import InputError
from histoloom.sample import IGNORE

OKABE_ITO = np.array(
    [
        (0, 0, 0),  # background: never drawn
        (0, 158, 115),  # bluish green
        (240, 228, 66),  # yellow
        (86, 180, 233),  # sky blue
        (213, 94, 0),  # vermillion
        (0, 114, 178),  # blue
        (230, 159, 0),  # orange
        (204, 121, 167),  # reddish purple
    ],
    dtype=np.uint8,
)
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # Rec. 709 weights of red, green, blue
SQUARE = np.ones((3, 3), bool)
HATCH_PX = 8  # distance of the hatch lines on what nobody annotated
HATCH_GREY = 128


def class_colours(n: int) -> UInt8[np.ndarray, "{n} 3"]:
    """RGB of class indices 0 to n - 1; after the seven colours come the same seven mixed with white.

    Raises InputError for more than 15 classes, which nobody could tell apart.
    """
    pale = (OKABE_ITO[1:].astype(np.uint16) + 255) // 2
    colours = np.concatenate([OKABE_ITO, pale.astype(np.uint8)])
    if n > len(colours):
        raise InputError(f"{n} classes; expected at most {len(colours)} to tell by colour; merge some in the reader")
    return colours[:n]


def outlined(
    image: UInt8[np.ndarray, "height width 3"],
    mask: UInt8[np.ndarray, "height width"],
    width_px: int = 2,
    instances: Int32[np.ndarray, "height width"] | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw the outline of each class inside its region, with a contrasting line around it; 255 is hatched in grey.

    The coloured line is `width_px` wide and lies on the region's own pixels; the line around it is one pixel wide, on
    background, white around dark colours and black around light ones. With `instances` touching nuclei are drawn one
    by one. Along the border of the image the line goes on, so that a region that takes all of an image is not taken for
    an image without one.
    """
    foreground = (mask > 0) & (mask != IGNORE)
    line = _line(_labels(mask, foreground, instances), width_px) & foreground
    colours = class_colours(int(mask[foreground].max(initial=0)) + 1)
    picture = hatched(image, mask == IGNORE)
    for index in np.unique(mask[line]):
        around = ndimage.binary_dilation(line & (mask == index), SQUARE) & ~foreground
        picture[around] = _contrast(colours[index])
    picture[line] = colours[mask[line]]
    return picture


def hatched(
    image: UInt8[np.ndarray, "height width 3"], unannotated: Bool[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw grey lines from lower left to upper right over what nobody annotated."""
    rows, columns = np.indices(unannotated.shape, sparse=True)
    picture = image.copy()
    picture[unannotated & ((rows + columns) % HATCH_PX < 2)] = HATCH_GREY
    return picture


def _labels(
    mask: UInt8[np.ndarray, "height width"],
    foreground: Bool[np.ndarray, "height width"],
    instances: Int32[np.ndarray, "height width"] | None,
) -> np.ndarray:
    labels = np.where(foreground, mask, 0).astype(np.int64)
    return labels if instances is None else labels + 256 * instances.astype(np.int64) * foreground


def _line(labels: np.ndarray, width_px: int) -> Bool[np.ndarray, "height width"]:
    edge = find_boundaries(np.pad(labels, 1), mode="inner", background=0)[1:-1, 1:-1]
    return edge if width_px == 1 else ndimage.binary_dilation(edge, SQUARE, iterations=width_px - 1)


def _contrast(colour: UInt8[np.ndarray, "3"]) -> int:
    return 0 if colour @ LUMINANCE > 140 else 255
