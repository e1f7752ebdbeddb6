"""What is counted and measured in one image and its truth, before anything is trained on it."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float64, Int32, Int64, UInt8

from histoloom import plugins
from histoloom.class_pixels import value_pixels
from histoloom.colour.stain import TISSUE_SHARE, stain_vectors, tissue_mask
from histoloom.evaluate.counting.matching import ANY, pair_counts, relabel
from histoloom.formats.images import read_image, read_instances, read_mask
from histoloom.prepared import IndexRow
from histoloom.sample import IGNORE

NUCLEUS = 1  # both annotators' nuclei as one class


@dataclass(frozen=True)
class Look:
    """What an image looks like where there is tissue.

    `tissue_share` is in [0, 1]; `stain` holds haematoxylin and eosin as unit vectors in optical density, None where
    the estimate failed; `mean` and `sd` are those of red, green and blue (0 to 255). All but the share are None in a
    blank image, one with less than 1 % of tissue.
    """

    tissue_share: float
    sharpness: float | None = None
    stain: Float[np.ndarray, "2 3"] | None = None
    mean: Float64[np.ndarray, "3"] | None = None
    sd: Float64[np.ndarray, "3"] | None = None

    @property
    def is_blank(self) -> bool:
        """Whether less than 1 % of the pixels are tissue."""
        return self.tissue_share < TISSUE_SHARE


@dataclass(frozen=True)
class Nuclei:
    """The nuclei of one image: the mask value that most pixels of each have, and its area in pixels."""

    classes: Int64[np.ndarray, " nuclei"]
    areas_px: Int64[np.ndarray, " nuclei"]

    @cached_property
    def by_class(self) -> Int64[np.ndarray, "256"]:
        """Number of nuclei by mask value."""
        return np.bincount(self.classes, minlength=256)


@dataclass(frozen=True)
class Agreement:
    """How far two annotators of one image agree, both in [0, 1]; NaN where neither drew a nucleus."""

    dice: float
    pq: float


@dataclass(frozen=True)
class Measured:
    """What was counted in one image: pixels by mask value (256), its nuclei, its look and its annotators' agreement.

    `nuclei` and `agreement` are None where the maps that they need are not there, or are not of the mask's size.
    """

    row: IndexRow
    image_size: tuple[int, ...]
    mask_size: tuple[int, ...]
    pixels: Int64[np.ndarray, "256"]
    look: Look
    nuclei: Nuclei | None = None
    agreement: Agreement | None = None

    @property
    def annotated(self) -> int:
        """Number of annotated pixels."""
        return int(self.pixels.sum() - self.pixels[IGNORE])

    @property
    def foreground(self) -> int:
        """Number of annotated pixels that are not background."""
        return self.annotated - int(self.pixels[0])


def measure(row: IndexRow) -> Measured:
    """Read an image with its truth and count what is in it.

    Raises InputError for files that are missing, damaged or of another kind.
    """
    image, mask = read_image(row.image), read_mask(row.mask)
    first, second = (
        read_instances(path) if path is not None else None for path in (row.instances, row.second_instances)
    )
    has_first = first is not None and first.shape == mask.shape
    has_both = has_first and second is not None and second.shape == mask.shape
    return Measured(
        row=row,
        image_size=image.shape[:2],
        mask_size=mask.shape,
        pixels=value_pixels(mask),
        look=look_of(image),
        nuclei=nuclei_of(mask, first) if has_first else None,
        agreement=agreement_of(first, second, mask != IGNORE) if has_both else None,
    )


def look_of(image: UInt8[np.ndarray, "height width 3"]) -> Look:
    """Share of tissue, sharpness, stain vectors, and mean and spread of the colour of tissue."""
    tissue = tissue_mask(image)
    share = float(tissue.mean())
    if share < TISSUE_SHARE:
        return Look(share)
    mean, sd = cv2.meanStdDev(image, mask=tissue.astype(np.uint8))
    return Look(share, sharpness(image, tissue), stain_vectors(image, tissue), mean[:, 0], sd[:, 0])


def sharpness(image: UInt8[np.ndarray, "height width 3"], tissue: Bool[np.ndarray, "height width"]) -> float | None:
    """How much finer detail there is than coarse one: a blurred image has a lower value than a sharp one of its kind.

    Variance of the Laplacian over tissue after a Gaussian of 1 px, divided by that after one of 2 px, of the grey
    image. The variance alone follows contrast and amount of nuclei as much as focus; the quotient does not change with
    contrast. None where the tissue has no detail at all.
    Sources: variance of the Laplacian, Pech-Pacheco et al., ICPR 2000; comparing with the image blurred again, Crété
    et al., The blur effect, SPIE 6492, 2007.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    inside = tissue.astype(np.uint8)
    fine, coarse = (cv2.meanStdDev(_detail(grey, sigma_px), mask=inside)[1].item() ** 2 for sigma_px in (1, 2))
    return fine / coarse if coarse > 0 else None


def nuclei_of(mask: UInt8[np.ndarray, "height width"], instances: Int32[np.ndarray, "height width"]) -> Nuclei:
    """Class and area of each nucleus by ascending id: the mask value of most of its pixels, the lower of equals.

    >>> mask = np.array([[1, 1, 2], [2, 2, 0]], np.uint8)
    >>> nuclei_of(mask, np.array([[7, 7, 7], [9, 9, 0]], np.int32))
    Nuclei(classes=array([1, 2]), areas_px=array([3, 2]))
    """
    ids, position = relabel(instances)
    inside = position > 0
    votes = np.bincount((position[inside] - 1) * 256 + mask.ravel()[inside], minlength=256 * len(ids))
    votes = votes.reshape(-1, 256)
    return Nuclei(votes.argmax(1).astype(np.int64), votes.sum(1))


def agreement_of(
    first: Int32[np.ndarray, "height width"],
    second: Int32[np.ndarray, "height width"],
    annotated: Bool[np.ndarray, "height width"],
) -> Agreement:
    """Dice of nucleus pixels and panoptic quality of nuclei, the second annotator taken as the prediction.

    Both are symmetric in the annotators. They are defined as the scores of models are, so that they can be compared:
    on annotated pixels, and without nuclei that lie mostly on others.
    """
    one, other = ((ids > 0)[annotated].astype(np.int64) for ids in (first, second))
    confusion = np.bincount(2 * one + other, minlength=4).reshape(1, 2, 2)
    place = np.where(annotated, NUCLEUS, IGNORE).astype(np.uint8)
    classes = dict.fromkeys(relabel(second)[0].tolist(), NUCLEUS)
    pairs = pair_counts(first, place, second, classes, NUCLEUS + 1)
    dice, pq = (plugins.load("metrics", name) for name in ("dice", "pq"))
    return Agreement(float(dice(confusion)[0, NUCLEUS]), float(pq(pairs[None])[0, ANY]))


def _detail(grey: Float[np.ndarray, "height width"], sigma_px: int) -> Float[np.ndarray, "height width"]:
    blurred = cv2.GaussianBlur(grey, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT)
    return cv2.Laplacian(blurred, cv2.CV_32F, borderType=cv2.BORDER_REFLECT)
