"""Where on a slide there is tissue: a mask of some micrometres a pixel, from colours or from the user's own drawing.

What counts as tissue has colour: its saturation, as HSV defines it, lies above a cut between glass and stain. What is
done about the rest of what is found on slides:
- black borders, black ink, folds of a cover slip: without light in any channel, no tissue;
- green ink: green is the strongest channel, which it never is in H&E, so no tissue;
- blue and red ink: taken for tissue, since no rule of colour tells them from bluish haematoxylin and from blood;
- grey ink, dust, air bubbles: without colour, no tissue, unless small enough to be closed or filled.
Where that is not good enough, a mask of one's own takes its place.
"""

from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from histoloom.arguments import setting
from histoloom.errors import InputError
from histoloom.formats.images import read_mask

BLUR_PX = 1.0  # sigma, in pixels of the mask: evens out the noise of camera and JPEG, but no gap between two pieces
# Saturation, 0 to 255, of pictures at 8 µm per pixel: glass has at most 7 in two slides and forty images of five
# datasets, the palest tissue 8 to 16 (fat, necrosis, frozen stroma).
LEAST_CUT, MOST_CUT = 8, 16
BLACK = 64  # the brightest channel of what is no tissue; crowded lymphocytes have 110 and more at 8 µm per pixel
MPP_TOLERANCE = 0.01  # headers round
ASPECT_TOLERANCE = 0.01  # by which the sides of one's own mask may differ in proportion from those of the slide


@dataclass(frozen=True)
class TissueSettings:
    """How tissue is found; an area or a length of 0 leaves its step out."""

    tissue_mpp: float = setting("µm per pixel of the tissue mask")
    closing_um: float = setting("gaps narrower than twice this many µm are closed")
    hole_um2: float = setting("holes in tissue up to this many µm² are filled")
    piece_um2: float = setting("pieces of tissue below this many µm² are dropped")
    margin_um: float = setting("tissue is widened by this many µm on all sides")

    def __post_init__(self) -> None:
        if not self.tissue_mpp > 0:
            raise InputError(f"slides: tissue_mpp: {self.tissue_mpp}; expected more than 0 µm per pixel; 8 is usual")
        for each in fields(self):
            if not getattr(self, each.name) >= 0:
                raise InputError(
                    f"slides: {each.name}: {getattr(self, each.name)}; expected 0 or more; mend the config"
                )


def find_tissue(
    picture: UInt8[np.ndarray, "height width 3"], mpp: float, settings: TissueSettings
) -> Bool[np.ndarray, "height width"]:
    """Where the picture of a slide, of `mpp` µm per pixel, shows tissue; nowhere is a valid answer, everywhere too.

    The picture is blurred a little and split by `saturation_cut`. Then gaps are closed, holes filled, small pieces
    dropped and the rest widened, in this order. Distances are those between centres of pixels. Beyond the border of the
    picture nothing is known: gaps are not closed towards it, and what opens to it is no hole.
    """
    blurred = cv2.GaussianBlur(picture, (0, 0), BLUR_PX, borderType=cv2.BORDER_REFLECT)
    tissue = stained(blurred)
    tissue = _closed(tissue, settings.closing_um / mpp)
    tissue = _filled(tissue, settings.hole_um2 / mpp**2)
    tissue = _without_small(tissue, settings.piece_um2 / mpp**2)
    return _widened(tissue, settings.margin_um / mpp)


def stained(picture: UInt8[np.ndarray, "height width 3"]) -> Bool[np.ndarray, "height width"]:
    """Where a picture has colour, and neither the black of borders nor the green of ink.

    >>> stained(np.array([[[244, 243, 245], [220, 160, 190], [20, 20, 30], [40, 160, 90]]], np.uint8))
    array([[False,  True, False, False]])
    """
    red, green, blue = (picture[..., channel] for channel in range(3))
    brightest = np.maximum(np.maximum(red, green), blue)
    is_foreign = (brightest < BLACK) | (green > np.maximum(red, blue))
    saturation = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)[..., 1]
    return (saturation > saturation_cut(saturation[~is_foreign])) & ~is_foreign


def saturation_cut(saturation: UInt8[np.ndarray, " pixels"]) -> int:
    """The saturation, 0 to 255, above which there is tissue: Otsu's threshold, with two guards.

    Otsu's threshold always splits: glass alone by its noise, tissue alone between stroma and nuclei, and where there is
    more dark tissue than pale, somewhere in the pale one. So it counts only between 8, below which nothing is tissue,
    and 16, above which nothing is glass; and where its paler side is tissue too (its mean is above 8), the cut is 8.
    Source: Otsu, A threshold selection method from gray-level histograms, IEEE Trans. SMC 9, 1979.
    """
    if len(saturation) == 0:
        return LEAST_CUT
    threshold, _ = cv2.threshold(saturation, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    pale = saturation[saturation <= threshold]
    if len(pale) == 0 or pale.mean() > LEAST_CUT:
        return LEAST_CUT
    return int(np.clip(threshold, LEAST_CUT, MOST_CUT))


def tissue_warnings(tissue: Bool[np.ndarray, "height width"], mpp: float, stated_mpp: float | None) -> list[str]:
    """What is worth a look before hours are spent on a slide; `stated_mpp` is the header's, `mpp` what is used."""
    warnings = []
    if stated_mpp and abs(mpp / stated_mpp - 1) > MPP_TOLERANCE:
        warnings.append(f"its header says {stated_mpp:g} µm per pixel, the setting {mpp:g}, which is used")
    if not tissue.any():
        warnings.append("no tissue was found, so nothing is predicted; if there is some, give a mask of your own")
    if tissue.all():
        warnings.append("no empty glass was found, so all is predicted; if there is some, give a mask of your own")
    return warnings


def own_tissue(path: Path, width: int, height: int, shape: tuple[int, int]) -> Bool[np.ndarray, "rows columns"]:
    """The user's own mask, brought to `shape` (rows, columns) of the tissue mask, as it is: no clean-up, no margin.

    The file is any image that histoloom reads as a mask, of any size and of the proportions of the slide, `width` x
    `height`; tissue is where it is not 0. A pixel of the result is tissue if any of the mask's pixels in it is.
    Raises InputError for a file that is no mask, and for other proportions than within 1 %.
    """
    mask = read_mask(path)
    rows, columns = mask.shape
    if abs(columns - rows * width / height) > max(1, ASPECT_TOLERANCE * columns):  # 1 px: sides are rounded
        raise InputError(
            f"{path}: {columns} x {rows} pixels, for a slide of {width} x {height}; expected the slide's proportions "
            "within 1 %; draw the mask on an overview of the whole slide"
        )
    return _any_in(_any_in(mask > 0, shape[0]).T, shape[1]).T


def _any_in(mask: Bool[np.ndarray, "rows columns"], count: int) -> Bool[np.ndarray, "{count} columns"]:
    """Bring the rows to `count`: each new one is tissue where any is of those that it overlaps."""
    edges = np.arange(count + 1) * len(mask)
    firsts, lasts = edges[:-1] // count, -(-edges[1:] // count)
    sums = np.concatenate([np.zeros((1, mask.shape[1]), np.int32), np.cumsum(mask, axis=0, dtype=np.int32)])
    return sums[lasts] > sums[firsts]


def _widened(mask: Bool[np.ndarray, "height width"], radius_px: float) -> Bool[np.ndarray, "height width"]:
    if radius_px == 0 or not mask.any():
        return mask
    distances = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return distances <= radius_px


def _closed(mask: Bool[np.ndarray, "height width"], radius_px: float) -> Bool[np.ndarray, "height width"]:
    return ~_widened(~_widened(mask, radius_px), radius_px)


def _filled(mask: Bool[np.ndarray, "height width"], most_px: float) -> Bool[np.ndarray, "height width"]:
    """Fill patches of no tissue of at most this area that do not touch the border; corners do not join them."""
    numbers, boxes = _components(~mask, 4)
    height, width = mask.shape
    left, top, right, bottom = boxes[:, 0], boxes[:, 1], boxes[:, 0] + boxes[:, 2], boxes[:, 1] + boxes[:, 3]
    is_hole = (left > 0) & (top > 0) & (right < width) & (bottom < height) & (boxes[:, 4] <= most_px)
    is_hole[0] = False  # what is no component: the tissue
    return mask | is_hole[numbers]


def _without_small(mask: Bool[np.ndarray, "height width"], fewest_px: float) -> Bool[np.ndarray, "height width"]:
    """Drop pieces of less than this area; corners join two."""
    numbers, boxes = _components(mask, 8)
    return mask & (boxes[:, 4] >= fewest_px)[numbers]


def _components(mask: Bool[np.ndarray, "height width"], connectivity: int) -> tuple[np.ndarray, np.ndarray]:
    """Number of the component of each pixel, 0 for none, and left, top, width, height and area of each number."""
    _, numbers, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=connectivity)
    return numbers, boxes
