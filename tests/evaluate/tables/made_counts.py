"""Counts whose recall of each image is chosen: what comparisons, ranks and strata are tested on."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from histoloom.evaluate.counting.stored_counts import Counts

CLASSES = ("background", "nucleus")
PIXELS = 1000  # of class 1 in each image, so that recalls of three decimals are exact


def made_counts(
    recalls: Sequence[float],
    groups: Sequence[str],
    architecture: str = "unet",
    folds: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    strata: Sequence[str] | None = None,
) -> Counts:
    """One image for each recall, named by its place unless `names` says otherwise; NaN is an image without class 1."""
    right = np.array([0 if np.isnan(recall) else round(PIXELS * recall) for recall in recalls])
    confusion = np.zeros((len(recalls), 2, 2), np.int64)
    confusion[:, 1, 1] = right
    confusion[:, 1, 0] = np.where(np.isnan(recalls), 0, PIXELS - right)
    images = pd.DataFrame(
        {
            "fold": folds or [0] * len(recalls),
            "name": names or [f"image{place:02}" for place in range(len(recalls))],
            "group": list(groups),
            "stratum": strata or [""] * len(recalls),
        }
    )
    return Counts("lab", architecture, images, {"confusion": confusion}, "um")
