"""What an image is recognised by when it comes again flipped, turned, recoloured or compressed.

Two marks are taken. The digest of its colour histograms and size is the same for all eight flips and quarter turns, so
that only images with equal digests have to be compared pixel by pixel. The signs of the lowest 16 x 16 frequencies of
a cosine transform are the perceptual hash (after Zauner 2010, "Implementation and benchmarking of perceptual image hash
functions"): flips change known signs and turns swap rows and columns, so the eight hashes come from one.
"""

from dataclasses import dataclass
from hashlib import sha256

import cv2
import numpy as np
from jaxtyping import Float32, Int8, Shaped, UInt8

from histoloom.colour.stain import TISSUE_SHARE, tissue_mask

THUMBNAIL_PX = 64
FREQUENCIES = 16
HASH_BITS = FREQUENCIES**2 - 1  # the first frequency is the mean grey level, which says nothing of the picture
BLUR_PX = 0.75  # of the thumbnail: a shift by 2 of 256 pixels then costs 5 % of correlation, not 8 %
DETAIL_PX = 8.0  # of the thumbnail: coarser differences (tissue here, glass there) are common to many pictures
# Below this the picture is glass, or noise that the hash cannot tell apart: 1 % of CoNSeP patches, all empty tiles.
BLANK_SD = 5.0  # grey levels of the thumbnail
CHANGES = (
    "none",
    "turned 90 degrees",
    "turned 180 degrees",
    "turned 270 degrees",
    "mirrored",
    "mirrored and turned 90 degrees",
    "mirrored and turned 180 degrees",
    "mirrored and turned 270 degrees",
)


@dataclass(frozen=True)
class Fingerprint:
    """The marks of one image: exact digest, share of tissue, grey thumbnail, hash as signs (-1 or 1) by frequency."""

    digest: bytes
    tissue_share: float
    thumbnail: UInt8[np.ndarray, "64 64"]
    signs: Int8[np.ndarray, "16 16"]

    @property
    def is_blank(self) -> bool:
        """Whether the picture is too uniform to be told from others like it."""
        return bool(self.thumbnail.std() < BLANK_SD)

    @property
    def is_empty(self) -> bool:
        """Whether the picture is uniform and without tissue: glass, or padding. Such come twice without a copy made."""
        return self.is_blank and self.tissue_share < TISSUE_SHARE


def fingerprint(image: UInt8[np.ndarray, "height width 3"]) -> Fingerprint:
    """Take the marks of an RGB image of any size; other proportions are squeezed into a square."""
    small = cv2.resize(image, (THUMBNAIL_PX, THUMBNAIL_PX), interpolation=cv2.INTER_AREA)
    thumbnail = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), (0, 0), BLUR_PX)
    waves = cv2.dct(thumbnail.astype(np.float32))[:FREQUENCIES, :FREQUENCIES]
    signs = np.where(waves > 0, 1, -1).astype(np.int8)
    return Fingerprint(_digest(image), float(tissue_mask(small).mean()), thumbnail, signs)


def changed(pixels: Shaped[np.ndarray, "height width *channels"], change: int) -> np.ndarray:
    """Flip left to right (from CHANGES 4 on), then turn by change % 4 quarters anticlockwise.

    >>> changed(np.array([[1, 2], [3, 4]]), 1)
    array([[2, 4],
           [1, 3]])
    """
    return np.rot90(pixels[:, ::-1] if change >= 4 else pixels, change % 4)


def changed_signs(signs: Int8[np.ndarray, "images 16 16"], change: int) -> Int8[np.ndarray, "images 16 16"]:
    """The hashes that the images have after `change`, without looking at them again.

    A flip turns the sign of every second frequency along its axis; a quarter turn is a transposition and a flip.
    """
    alternate = np.where(np.arange(FREQUENCIES) % 2, -1, 1).astype(np.int8)
    if change >= 4:
        signs = signs * alternate
    for _ in range(change % 4):
        signs = signs.transpose(0, 2, 1) * alternate[:, None]
    return signs


def likeness(first: UInt8[np.ndarray, "64 64"], second: UInt8[np.ndarray, "64 64"], change: int) -> float:
    """Correlation, -1 to 1, of the detail of two thumbnails, the first one changed."""
    return float((changed(_detail(first), change) * _detail(second)).mean())


def change_between(
    first: UInt8[np.ndarray, "height width 3"], second: UInt8[np.ndarray, "other_height other_width 3"]
) -> int | None:
    """The change that makes the pixels of `first` those of `second`, None where none does."""
    return next((change for change in range(len(CHANGES)) if _is_equal(changed(first, change), second)), None)


def _digest(image: UInt8[np.ndarray, "height width 3"]) -> bytes:
    counts = [cv2.calcHist([image], [channel], None, [256], [0, 256]) for channel in range(3)]
    return sha256(np.array([*sorted(image.shape[:2])], np.int64).tobytes() + np.concatenate(counts).tobytes()).digest()


def _detail(thumbnail: UInt8[np.ndarray, "64 64"]) -> Float32[np.ndarray, "64 64"]:
    grey = thumbnail.astype(np.float32)
    fine = grey - cv2.GaussianBlur(grey, (0, 0), DETAIL_PX)
    fine -= fine.mean()
    return fine / max(float(fine.std()), 1e-6)


def _is_equal(first: np.ndarray, second: np.ndarray) -> bool:
    return first.shape == second.shape and np.array_equal(first, second)
