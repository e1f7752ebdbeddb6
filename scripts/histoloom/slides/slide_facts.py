"""What find_tissue.py writes of a slide, as the later steps read it: its facts, and its tissue on their grid."""

import json
from pathlib import Path
from typing import Any

from histoloom.errors import InputError
from histoloom.formats.images import read_mask
from histoloom.predict.engine.tissue_mask import TissueMask
from histoloom.slides.band_store import Grid

SLIDE_FACTS = {"slide": str, "width": int, "height": int, "mpp": int | float, "tissue_mpp": int | float}


def read_slide_facts(path: Path) -> dict[str, Any]:
    """What find_tissue.py wrote of a slide; InputError where something is missing."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        missing = [name for name, kind in SLIDE_FACTS.items() if not isinstance(facts[name], kind)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        missing = [f"{type(error).__name__}: {error}"]
    if missing:
        raise InputError(
            f"{path}: {', '.join(missing)[:200]}; expected {', '.join(SLIDE_FACTS)}; run scripts/find_tissue.py again"
        )
    return facts


def tissue_on(grid: Grid, tissue: Path, facts: dict[str, Any]) -> TissueMask:
    """The mask of tissue.png over the working pixels of a store."""
    return TissueMask(read_mask(tissue) > 0, facts["tissue_mpp"] / grid.mpp, grid.height, grid.width)
