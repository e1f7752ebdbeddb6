"""Which pixels of training images are accepted as semi-ground truth: sure ones, agreed on, near to people's, capped.

The rule, in this order, for pixels that nobody annotated:
1. The probabilities of each model that has not seen the image are smoothed by a Gaussian; their mean names the class.
2. Sure is a pixel whose smoothed probability reaches `confidence` (pseudo-labels: Lee 2013), whose class at least the
   share `agreement` of the models name, and which lies within `distance_px` of a pixel that a person annotated.
3. Of each class, over all training images, the surest are accepted, up to the share `class_share` of the pixels that
   are predicted as the class, so that an easy class does not crowd out the others (class-balanced self-training: Zou et
   al. 2018). Of equally sure pixels, of which there are many since probabilities are stored as bytes, as many as there
   is room for are taken at even distances, in the order of images and rows.

What people annotated is never touched.

Sources: Lee 2013, "Pseudo-Label: the simple and efficient semi-supervised learning method for deep neural networks";
Zou et al. 2018, "Unsupervised domain adaptation for semantic segmentation via class-balanced self-training".
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8, UInt16

from histoloom.arguments import setting
from histoloom.predict.regions.smoothing import gaussian_weights
from histoloom.sample import IGNORE, PSEUDO

LEVELS = 65535  # confidence 1, as a whole number: steps finer than those of the stored bytes


@dataclass(frozen=True)
class Rule:
    """What is accepted: values of the section `rounds`."""

    smoothing_px: float = setting("Standard deviation of the Gaussian over probabilities in native pixels; 0: none.")
    confidence: float = setting("Least smoothed probability of a pixel that is accepted.")
    agreement: float = setting("Least share of the models that name its class.")
    distance_px: float = setting("Farthest from what people drew, in native pixels; 0: anywhere.")
    class_share: float = setting("Share of the pixels predicted as a class that is accepted at most.")


@dataclass(frozen=True)
class Judgement:
    """What the models that have not seen an image say of its pixels.

    predicted: the class of the mean smoothed probabilities. level: their highest value, LEVELS is 1. is_sure: whether
    the rule but for the cap accepts a pixel; never one that a person annotated.
    """

    predicted: UInt8[np.ndarray, "height width"]
    level: UInt16[np.ndarray, "height width"]
    is_sure: Bool[np.ndarray, "height width"]


def judged(
    probabilities: Iterable[UInt8[np.ndarray, "height width classes"]],
    drawn: UInt8[np.ndarray, "height width"],
    rule: Rule,
) -> Judgement:
    """What models say of an image of which people drew the mask `drawn`; one map of bytes, 255 is 1, for each model.

    Beyond its edge the image is mirrored. The maps are taken one by one: of each only the classes that it names stay.
    """
    total, named = None, []
    for each in probabilities:
        smooth = _smoothed(each, rule.smoothing_px)
        named.append(_named(smooth)[0])
        total = smooth if total is None else np.add(total, smooth, out=total)
        del smooth  # or it would stay until the next one is there: 1.6 GB of four classes at 10,000 x 10,000 px
    predicted, highest = _named(np.divide(total, len(named), out=total))
    level = np.rint(highest * LEVELS).astype(np.uint16)
    naming = sum((classes == predicted).astype(np.uint16) for classes in named)  # how many models name the class
    are_enough = np.arange(len(named) + 1) / len(named) >= rule.agreement - 1e-9
    is_sure = (level >= round(rule.confidence * LEVELS)) & are_enough[naming] & (drawn == IGNORE)
    if rule.distance_px:
        is_sure &= distance_to_drawn(drawn) <= rule.distance_px
    return Judgement(predicted, level, is_sure)


def distance_to_drawn(drawn: UInt8[np.ndarray, "height width"]) -> Float32[np.ndarray, "height width"]:
    """Distance of each pixel to the nearest one that a person annotated, between centres; infinite without any.

    >>> distance_to_drawn(np.array([[255, 255, 1, 255]], np.uint8))
    array([[2., 1., 0., 1.]], dtype=float32)
    """
    if (drawn == IGNORE).all():
        return np.full(drawn.shape, np.inf, np.float32)
    return cv2.distanceTransform((drawn == IGNORE).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


@dataclass
class Census:
    """How many pixels of all training images are predicted as each class, and how sure those are that are sure enough.

    Only pixels that nobody annotated are counted. Images are counted one by one, so that memory does not grow.
    """

    class_count: int
    predicted: Int64[np.ndarray, " classes"] = field(init=False)
    sure: Int64[np.ndarray, "classes levels"] = field(init=False)

    def __post_init__(self) -> None:
        self.predicted = np.zeros(self.class_count, np.int64)
        self.sure = np.zeros((self.class_count, LEVELS + 1), np.int64)

    def count(self, judgement: Judgement, drawn: UInt8[np.ndarray, "height width"]) -> None:
        """Add an image."""
        self.predicted += np.bincount(judgement.predicted[drawn == IGNORE], minlength=self.class_count)
        for index in range(self.class_count):
            levels = judgement.level[judgement.is_sure & (judgement.predicted == index)]
            self.sure[index] += np.bincount(levels, minlength=LEVELS + 1)

    def caps(self, class_share: float) -> list["Cap"]:
        """The cap of each class, by which the images have to be taken in the order in which they were counted."""
        return [
            _cap(sure, math.floor(class_share * int(predicted) + 1e-9))
            for sure, predicted in zip(self.sure, self.predicted, strict=True)
        ]


@dataclass
class Cap:
    """What is accepted of a class: every pixel above a level, and `room` of the `ties` pixels at it.

    `passed` counts those at the level that have been met.
    """

    level: int
    room: int
    ties: int
    passed: int = 0

    def taken(self, levels: UInt16[np.ndarray, " pixels"]) -> Bool[np.ndarray, " pixels"]:
        """Which of the next sure pixels of the class are accepted."""
        accepted, at_level = levels > self.level, np.flatnonzero(levels == self.level)
        # The k-th of n gets one of r places where k * r / n passes a whole number: r in all, evenly spread.
        places = (
            np.arange(self.passed, self.passed + len(at_level) + 1, dtype=np.int64) * self.room // max(self.ties, 1)
        )
        accepted[at_level] = np.diff(places) > 0
        self.passed += len(at_level)
        return accepted


def marked(
    judgement: Judgement, drawn: UInt8[np.ndarray, "height width"], caps: Sequence[Cap]
) -> UInt8[np.ndarray, "height width"]:
    """The training mask of an image: what people drew, PSEUDO + class where a pixel is accepted, 255 elsewhere.

    The caps count what they have given away: each image is to be taken once, in the order of the census.
    """
    mask = drawn.copy()
    for index, cap in enumerate(caps):
        places = np.flatnonzero(judgement.is_sure & (judgement.predicted == index))
        mask.flat[places[cap.taken(judgement.level.flat[places])]] = PSEUDO + index
    return mask


def _cap(sure: Int64[np.ndarray, " levels"], room: int) -> Cap:
    from_above = np.cumsum(sure[::-1])[::-1]  # pixels of this level or a higher one
    if from_above[0] <= room:
        return Cap(level=0, room=int(sure[0]), ties=int(sure[0]))
    level = int(np.flatnonzero(from_above > room)[-1])
    return Cap(level, room - int(from_above[level] - sure[level]), int(sure[level]))


def _named(
    planes: Float32[np.ndarray, "classes height width"],
) -> tuple[UInt8[np.ndarray, "height width"], Float32[np.ndarray, "height width"]]:
    # The class of the highest value, the first of equal ones, and that value. Numpy's argmax would copy all planes.
    classes, highest = np.zeros(planes.shape[1:], np.uint8), planes[0].copy()
    for index, plane in enumerate(planes[1:], start=1):
        classes[plane > highest] = index
        np.maximum(highest, plane, out=highest)
    return classes, highest


def _smoothed(
    probabilities: UInt8[np.ndarray, "height width classes"], sigma_px: float
) -> Float32[np.ndarray, "classes height width"]:
    planes = np.divide(np.moveaxis(probabilities, 2, 0), np.float32(255), dtype=np.float32, order="C")
    if sigma_px:
        weights = gaussian_weights(sigma_px, math.ceil(3 * sigma_px)) / np.float32(4096)
        for plane in planes:
            plane[:] = cv2.sepFilter2D(plane, cv2.CV_32F, weights, weights)
    return planes
