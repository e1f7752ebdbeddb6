"""The one engine that predicts images and slides: networks made ready once, and swept over any number of them.

Tiles overlap, are blended in a band of rows on the network's device, and what is finished is handed on and forgotten:
memory does not grow with the height.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float32
from torch import nn

from histoloom.errors import InputError
from histoloom.networks import resolve_precision
from histoloom.predict.engine.batch_choice import quickest_batch_size
from histoloom.predict.engine.canvas import Canvas, batches
from histoloom.predict.engine.ensemble import Ensemble
from histoloom.predict.engine.halving import Halving
from histoloom.predict.engine.handover import on_device
from histoloom.predict.engine.pixels import ImagePixels, Pixels, read_ahead
from histoloom.predict.engine.row_reader import RowReader
from histoloom.predict.engine.sweep_plan import Group, Layout, plan
from histoloom.predict.engine.tiling import blending_weights, stride_px
from histoloom.predict.engine.tissue_mask import TissueMask
from histoloom.targets import Outputs


@dataclass(frozen=True)
class EngineSettings:
    """How tiles are laid, predicted and blended; engine_flags.py says what each value means."""

    overlap: int
    window: str
    batch_size: int
    precision: str
    window_px: int = 0
    tta: bool = False
    compile: bool = False


class Engine:
    """Networks of one card, ready on `device`. Raises InputError for settings that do not fit the card."""

    def __init__(
        self, networks: Sequence[nn.Module], card: dict[str, Any], settings: EngineSettings, device: torch.device
    ) -> None:
        for name in ("batch_size", "window_px"):
            if getattr(settings, name) < 0:
                raise InputError(f"{name} {getattr(settings, name)}; expected 0 or more; set predict.{name}")
        self.card, self.settings = card, settings
        self.outputs = Outputs(tuple(card["classes"]), card.get("has_maps", False))
        self.tile_px = settings.window_px or card["tile_px"]
        stride_px(self.tile_px, settings.overlap)  # refuses an overlap that does not fit before anything is computed
        weights = blending_weights(self.tile_px, settings.overlap, settings.window)
        self._weights = torch.from_numpy(weights).to(device)
        precision = resolve_precision(settings.precision, device)
        ready = {"tta": settings.tta, "is_compiled": settings.compile}
        self._ensemble = Ensemble(networks, self.outputs, self.tile_px, device, precision, **ready)
        self.batch_size = settings.batch_size or quickest_batch_size(self._ensemble.values, self.tile_px, device)
        # The plan of a sweep stays that of the batch size, so that the sums are taken in the same order.
        self._values = Halving(self._ensemble.values, self.batch_size)

    @property
    def memory_warning(self) -> str:
        """What to tell of batches that were too large for the memory; empty where none was."""
        if not self._values.halvings:
            return ""
        return (
            f"warning: predict.batch_size {self.batch_size}: memory ran out {self._values.halvings} time(s), so "
            f"{self._values.at_once} tile(s) were computed at once;\nset predict.batch_size: {self._values.at_once} to "
            "begin so, or give the job more memory"
        )

    def sweep(
        self, pixels: Pixels, tissue: TissueMask | None = None, first_row: int = 0
    ) -> Iterator[tuple[int, Float32[torch.Tensor, "_ _ _"]]]:
        """Bands (first row, values of rows x width x channels on the device) from `first_row` to the last, in order.

        Values are class probabilities that sum to one, then the instance maps if the networks have them. Outside of
        `tissue` they are background, and tiles without tissue do not run; within, all is as without it. A sweep that
        starts further down gives the same bits.
        """
        height, width = pixels.height, pixels.width
        layout = Layout(height, width, self.tile_px, self.settings.overlap, self.batch_size)
        groups = plan(layout, tissue, first_row)
        canvas = Canvas(layout, self.outputs.count, self._weights, self._ensemble.is_compiled)
        spans = [group.read for group in groups if group.read]
        in_memory = isinstance(pixels, ImagePixels)
        parts = (pixels.rows(*span) for span in spans) if in_memory else read_ahead(pixels, spans)
        with closing(parts):
            reader = RowReader(layout, parts)
            for group in groups:
                is_active = group.runs.any()
                if is_active:
                    self._predict(canvas, reader, group)
                first, last = max(group.top, first_row), min(group.top + layout.step, height)
                if first < last:
                    rows = (first - group.top, last - group.top)
                    values = canvas.finished(*rows) if is_active else None
                    yield first, self._with_glass(values, tissue, first, last, width)
                if is_active:
                    canvas.move_down()

    def _with_glass(
        self, values: torch.Tensor | None, tissue: TissueMask | None, first: int, last: int, width: int
    ) -> torch.Tensor:
        # Background wherever there is no tissue; `values` are None where there is none at all.
        if values is None:
            values = self._weights.new_zeros(last - first, width, self.outputs.count)
            values[..., 0] = 1
        elif tissue is not None:
            is_glass = on_device(~tissue.rows(first, last), values.device)
            values.masked_fill_(is_glass[..., None], 0)
            values[..., 0].masked_fill_(is_glass, 1)
        return values

    def _predict(self, canvas: Canvas, reader: RowReader, group: Group) -> None:
        canvas.put(reader.shown(group), group.is_fresh)
        for batch in batches(group.runs, self.batch_size):
            canvas.add(self._values(canvas.tiles(batch)), batch)
