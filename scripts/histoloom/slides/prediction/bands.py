"""What an engine predicts of a slide as the bytes of a store, band by band."""

from collections.abc import Iterator
from functools import partial

import numpy as np
from jaxtyping import Shaped

from histoloom.errors import InputError
from histoloom.predict.engine.engine import Engine
from histoloom.predict.engine.handover import NO_NUMBERS, as_bytes, on_host
from histoloom.predict.engine.pixels import Pixels
from histoloom.predict.engine.tissue_mask import TissueMask
from histoloom.slides.band_store import BAND_PX


def bands_from(
    engine: Engine, pixels: Pixels, tissue: TissueMask | None, first_band: int
) -> Iterator[tuple[int, tuple[Shaped[np.ndarray, "rows width channels"], ...]]]:
    """Number and bytes of each band of a store from `first_band` on: probabilities, then maps if there are any.

    Raises InputError for a network that gives no numbers.
    """
    if first_band * BAND_PX >= pixels.height:
        return
    form = partial(as_bytes, class_count=len(engine.outputs.classes))
    kinds = range(1 + engine.outputs.has_maps)
    waiting: list[tuple[np.ndarray, ...]] = []
    band = first_band
    for pieces in _pieces(on_host(engine.sweep(pixels, tissue, first_band * BAND_PX), form)):
        waiting.append(pieces)
        if sum(len(each[0]) for each in waiting) == min(BAND_PX, pixels.height - band * BAND_PX):
            parts = tuple(_joined([each[kind] for each in waiting]) for kind in kinds)
            if not parts[0].any(axis=2).all():
                raise InputError(f"{engine.card.get('network')}: band {band}: {NO_NUMBERS}")
            yield band, parts
            waiting, band = [], band + 1


def _pieces(swept: Iterator[tuple[int, tuple[np.ndarray, ...]]]) -> Iterator[tuple[np.ndarray, ...]]:
    # What is swept, cut where a band of a store ends: a sweep's own bands end elsewhere.
    for first, parts in swept:
        last = first + len(parts[0])
        for band in range(first // BAND_PX, -(-last // BAND_PX)):
            begin, end = max(band * BAND_PX, first), min((band + 1) * BAND_PX, last)
            yield tuple(part[begin - first : end - first] for part in parts)


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if len(parts) > 1 else parts[0]
