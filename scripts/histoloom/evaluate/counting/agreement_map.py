"""Where truth and prediction agree, as a picture of codes: nucleus by nucleus, and pixel by pixel."""

import numpy as np
from jaxtyping import Int32, Int64, UInt8

from histoloom.evaluate.counting.matching import paired
from histoloom.evaluate.counting.nuclei_errors import is_merged, is_split
from histoloom.evaluate.counting.overlap_table import overlaps
from histoloom.sample import IGNORE

# The name of each code, by its value.
NUCLEUS_CODES = ("background", "found", "missed", "false", "split", "merged")
PIXEL_CODES = ("true negative", "true positive", "false negative", "false positive", "confused class")

_, FOUND, MISSED, FALSE, SPLIT, MERGED = range(len(NUCLEUS_CODES))
_, TRUE_POSITIVE, FALSE_NEGATIVE, FALSE_POSITIVE, CONFUSED = range(len(PIXEL_CODES))


def nucleus_agreement(
    truth_instances: Int32[np.ndarray, "height width"], predicted_instances: Int32[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "height width"]:
    """Say of each pixel what became of its nucleus, as a code of NUCLEUS_CODES.

    found: shared by the two nuclei of a pair (IoU > 0.5). missed: a true nucleus without a pair; split or merged where
    it is so by nuclei_errors, merged where it is both. false: a predicted nucleus without a pair, where no missed
    nucleus lies. What only one nucleus of a pair covers is background: pixel_agreement shows how well nuclei are
    outlined.
    """
    table = overlaps(truth_instances, predicted_instances)
    rows, columns = table.truth[paired(table)], table.predicted[paired(table)]
    fate = np.where(is_merged(table), MERGED, np.where(is_split(table), SPLIT, MISSED))
    fate[rows] = 0
    extra = np.full(len(table.predicted_ids), FALSE)
    extra[columns] = 0
    partner = np.full(len(table.truth_ids), -1)
    partner[rows] = table.predicted_ids[columns]
    truth_code = _painted(truth_instances, table.truth_ids, fate, 0)
    predicted_code = _painted(predicted_instances, table.predicted_ids, extra, 0)
    found = _painted(truth_instances, table.truth_ids, partner, -1) == predicted_instances
    codes = np.where(truth_code > 0, truth_code, predicted_code)
    return np.where(found, FOUND, codes).astype(np.uint8)


def pixel_agreement(
    truth_mask: UInt8[np.ndarray, "height width"], predicted_mask: UInt8[np.ndarray, "height width"]
) -> UInt8[np.ndarray, "height width"]:
    """Say of each pixel whether it is truly or falsely positive or negative, as a code of PIXEL_CODES.

    Positive is every class but background, index 0; a positive pixel given another positive class is "confused class".
    255 where truth is 255 (not annotated). Raises ValueError where the prediction is 255.

    >>> truth, predicted = np.array([[0, 1, 1, 0, 1, 255]], np.uint8), np.array([[0, 1, 0, 2, 2, 1]], np.uint8)
    >>> pixel_agreement(truth, predicted)
    array([[  0,   1,   2,   3,   4, 255]], dtype=uint8)
    """
    if (predicted_mask == IGNORE).any():
        raise ValueError(f"prediction holds {IGNORE}; expected a class at every pixel")
    true, predicted = truth_mask > 0, predicted_mask > 0
    codes = np.zeros(truth_mask.shape, np.uint8)
    codes[true & predicted] = CONFUSED
    codes[true & (truth_mask == predicted_mask)] = TRUE_POSITIVE
    codes[true & ~predicted] = FALSE_NEGATIVE
    codes[~true & predicted] = FALSE_POSITIVE
    codes[truth_mask == IGNORE] = IGNORE
    return codes


def _painted(
    instances: Int32[np.ndarray, "height width"],
    ids: Int64[np.ndarray, " nuclei"],
    values: Int64[np.ndarray, " nuclei"],
    elsewhere: int,
) -> Int64[np.ndarray, "height width"]:
    """The value of each pixel's nucleus, `elsewhere` where there is none."""
    table = np.full(instances.max(initial=0) + 1, elsewhere)
    table[ids] = values
    return table[instances]
