"""A slide predicted band by band: at which resolution, on which grid, and as which bytes."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from histoloom.errors import InputError
from histoloom.predict.engine.engine import Engine
from histoloom.predict.engine.ensemble import best_of
from histoloom.predict.engine.handover import NO_NUMBERS, as_bytes, on_host
from histoloom.predict.engine.pixels import Pixels
from histoloom.predict.engine.tissue_mask import TissueMask
from histoloom.slides.band_store import BAND_PX, Grid, facts_of
from histoloom.slides.slide_pixels import TOLERANCE, SlidePixels
from histoloom.targets import MAPS


def chosen(models: Sequence[Path], references: Sequence[Path], choose: str) -> tuple[list[Path], Path | None]:
    """The models to predict with, "best" or "all", and the reference of stain of the only one, if there are some."""
    if choose == "all":
        assert not references, "each fold has its own stain; the check of the config says so"
        return list(models), None
    best = best_of(models)
    return [models[best]], references[best] if references else None


def model_mpp(path: Path, card: Mapping[str, Any], given: float | None) -> float:
    """The µm per pixel that a model was trained at: its card's, or the given one where the card does not know.

    Raises InputError where neither says it, and where they differ by more than 1 %.
    """
    stated = card.get("mpp")
    if stated is None and given is None:
        raise InputError(
            f"{path}: does not say at how many µm per pixel it was trained; expected its mpp, since a slide is read at "
            "it; set slides.<name>.model_mpp, or the dataset's mpp and train again"
        )
    if stated is None or given is None:
        return float(stated if given is None else given)
    if abs(stated - given) > TOLERANCE * stated:
        raise InputError(
            f"{path}: trained at {stated:g} µm per pixel, but --mpp is {given:g}; expected the same; leave the setting "
            "out, or take a model of that resolution"
        )
    return float(stated)


def grids(
    card: Mapping[str, Any],
    facts: Mapping[str, Any],
    pixels: SlidePixels,
    *,
    outside: int,
    stride_px: int,
    not_normalised: str = "",
) -> dict[str, Grid]:
    """The grid of each store that a prediction has, by its name; the facts stand in that of the probabilities.

    `not_normalised` is why the slide kept its own stain although the model's images were normalised.
    """
    size, mpp = (pixels.height, pixels.width), pixels.mpp
    described = facts_of(
        {
            "classes": card["classes"],
            "slide": facts["slide"],
            "slide_mpp": facts["mpp"],
            "slide_width": facts["width"],
            "slide_height": facts["height"],
            "outside": outside,
            "stride_px": stride_px,
            "downsample": card["downsample"],
            "fold": card.get("fold", 0),
            "not_normalised": not_normalised,
        }
    )
    found = {"probabilities": Grid(*size, len(card["classes"]), "uint8", mpp, described)}
    return found | ({"maps": Grid(*size, MAPS, "int8", mpp)} if card.get("has_maps") else {})


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
