"""The score that chooses the best epoch, of pooled confusion matrices; knows nothing of torch."""

import numpy as np
from jaxtyping import Float64, Int64

from histoloom.evaluate.counting.confusion import foreground
from histoloom.plugins import load


def selection_scores(
    confusions: Int64[np.ndarray, "draws classes classes"], metric: str, of_class: str
) -> Float64[np.ndarray, " draws"]:
    """One value for each confusion matrix (truth in rows); NaN where it is undefined.

    `of_class`: foreground (all classes but the first merged), or mean over the classes that are not background.
    """
    found = load("metrics", metric)
    if of_class == "foreground":
        return np.asarray(found(foreground(confusions))[:, -1], np.float64)
    scores = found(confusions)
    scores = scores[:, 1:] if scores.shape[1] > 1 else scores
    counts = np.isfinite(scores).sum(axis=1)
    sums = np.where(np.isfinite(scores), scores, 0.0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
