"""What a model sees of a slide: its working pixels, in which stain, and where they are tissue."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from histoloom.formats.images import read_mask
from histoloom.formats.slides.slide import Slide
from histoloom.predict.engine.engine import EngineSettings
from histoloom.predict.engine.pixels import Pixels
from histoloom.predict.engine.tiling import stride_px
from histoloom.predict.engine.tissue_mask import TissueMask
from histoloom.slides.band_store import Grid, facts_of
from histoloom.slides.prediction.model import SlideModel
from histoloom.slides.prediction.recoloured import in_stain_of
from histoloom.slides.prediction.slide_pixels import SlidePixels
from histoloom.targets import MAPS


@dataclass(frozen=True)
class SlideView:
    """Pixels of `mpp` µm, and which of them are tissue.

    `not_normalised` is why the slide kept its own stain although the model's images were normalised, or empty.
    """

    pixels: Pixels
    mpp: float
    tissue: TissueMask
    not_normalised: str


def slide_view(slide: Slide, model: SlideModel, facts: Mapping[str, Any], tissue: Path) -> SlideView:
    """An open slide at the resolution and in the stain of a model; `facts` and `tissue` are find_tissue's.

    Raises InputError for a slide too coarse for the model, and for the tissue of another one.
    """
    pixels = SlidePixels(slide, model.mpp)
    mask = read_mask(tissue) > 0
    on_grid = TissueMask(mask, facts["tissue_mpp"] / pixels.mpp, pixels.height, pixels.width)
    stained, reason = in_stain_of(model.reference, slide, pixels, mask)
    return SlideView(stained, pixels.mpp, on_grid, reason)


def grids(
    card: Mapping[str, Any], facts: Mapping[str, Any], view: SlideView, settings: EngineSettings, *, outside: int
) -> dict[str, Grid]:
    """The grid of each store that a prediction has, by its name; the facts stand in that of the probabilities."""
    size, mpp = (view.pixels.height, view.pixels.width), view.mpp
    described = facts_of(
        {
            "classes": card["classes"],
            "slide": facts["slide"],
            "slide_mpp": facts["mpp"],
            "slide_width": facts["width"],
            "slide_height": facts["height"],
            "outside": outside,
            "stride_px": stride_px(settings.window_px or card["tile_px"], settings.overlap),
            "downsample": card["downsample"],
            "fold": card.get("fold", 0),
            "not_normalised": view.not_normalised,
        }
    )
    found = {"probabilities": Grid(*size, len(card["classes"]), "uint8", mpp, described)}
    return found | ({"maps": Grid(*size, MAPS, "int8", mpp)} if card.get("has_maps") else {})
