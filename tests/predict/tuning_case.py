"""One nucleus, a halo and a speck: a prediction of which the best thresholds are known."""

import numpy as np


def square(top, left, side, size=40):
    mask = np.zeros((size, size), bool)
    mask[top : top + side, left : left + side] = True
    return mask


# A nucleus of 10 x 10 px is predicted with 0.7, a halo of 2 px around it with 0.45, a speck of 2 x 2 px far off with
# 0.9. So the foreground at 0.4 has IoU 100 / 196 with it, at 0.6 exactly 1, and at 0.8 only the speck is left.
TRUTH = square(10, 10, 10).astype(np.int32)
PREDICTED = np.select([square(30, 30, 2), square(10, 10, 10), square(8, 8, 14)], [0.9, 0.7, 0.45], 0.0)


def as_bytes(foreground):
    return np.rint(np.stack([1 - foreground, foreground], axis=-1) * 255).astype(np.uint8)
