"""One or several networks as a function of tiles: class probabilities, then instance maps, each a mean over all."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float32
from torch import nn

from histoloom.errors import InputError
from histoloom.limits import limit
from histoloom.networks import load_model, memory_format, read_model
from histoloom.predict.engine.inference_form import cast_weights, folded
from histoloom.predict.engine.turns import AS_IT_IS, EVERY
from histoloom.targets import Outputs

SHARED = ("classes", "has_maps", "downsample", "tile_px", "mpp")  # what the cards of an ensemble must agree on


def load_ensemble(paths: Sequence[Path]) -> tuple[list[nn.Module], dict[str, Any]]:
    """The networks of some models in eval mode on the CPU, and the card of the first.

    Raises InputError for a file that is no model, for a card by which nothing can be predicted, and for a model of
    other classes, resolution or tile than the first.
    """
    networks, cards = zip(*(load_model(path) for path in paths), strict=True)
    for path, card in zip(paths, cards, strict=True):
        _require_pixels(path, card)
        for name in SHARED:
            if card.get(name) != cards[0].get(name):
                raise InputError(
                    f"{path}: {name} {card.get(name)}; expected {cards[0].get(name)} as of {paths[0]}, since models "
                    "of an ensemble are averaged;\npredict with models that were trained alike"
                )
    return list(networks), cards[0]


def best_of(paths: Sequence[Path]) -> int:
    """The place of the model whose card has the highest validation score, the first of equals.

    Raises InputError for a file that is no model.
    """
    scores = [read_model(path)["card"].get("score") for path in paths]
    ranks = [-math.inf if score is None or math.isnan(score) else score for score in scores]
    return ranks.index(max(ranks))


def _require_pixels(path: Path, card: Mapping[str, Any]) -> None:
    # A card may come from a stranger: a tile or a block of pixels is no larger than an image may be.
    most = math.isqrt(limit("image_pixels"))
    for name in ("downsample", "tile_px"):
        value = card.get(name)
        if type(value) is not int or not 1 <= value <= most:
            found = f"{name} {value}" if name in card else f"no {name}"
            raise InputError(f"{path}: its card has {found}; expected one from 1 to {most}; train or export it again")
    mpp = card.get("mpp")
    if mpp is not None and (isinstance(mpp, bool) or not 0 < mpp < math.inf):
        raise InputError(f"{path}: its card has mpp {mpp}; expected more than 0 µm per pixel; train or export it again")


class Ensemble:
    """Networks in eval mode, made ready on a device; their mean is taken of probabilities and maps, not of logits."""

    def __init__(
        self,
        networks: Sequence[nn.Module],
        outputs: Outputs,
        side_px: int,
        device: torch.device,
        precision: torch.dtype,
        *,
        tta: bool = False,
        is_compiled: bool = False,
    ) -> None:
        """Of tiles of `side_px` pixels a side. `tta` also averages over the eight turns and mirrors of each tile."""
        self.outputs, self.device, self.precision = outputs, device, precision
        self.turns = EVERY if tta else (AS_IT_IS,)
        self.is_compiled = is_compiled
        self._networks = [self._ready(network, side_px) for network in networks]

    @torch.inference_mode()
    def values(self, tiles: Float32[torch.Tensor, "n 3 side side"]) -> Float32[torch.Tensor, "n channels side side"]:
        """Probabilities of the classes, summing to one, and the instance maps if the networks have them."""
        total = None
        for network in self._networks:
            for turn in self.turns:
                values = turn.undone(self._values(network, turn.of(tiles)), len(self.outputs.classes))
                total = values if total is None else total.add_(values)
        count = len(self._networks) * len(self.turns)
        return total if count == 1 else total.div_(count)

    def _values(self, network: nn.Module, tiles: torch.Tensor) -> torch.Tensor:
        tiles = tiles.contiguous(memory_format=memory_format(self.device))
        with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
            output = network(tiles)
        values = self.outputs.class_probabilities(output)
        return torch.cat([values, self.outputs.instance_maps(output).float()], 1) if self.outputs.has_maps else values

    def _ready(self, network: nn.Module, side_px: int) -> nn.Module:
        network = folded(network, side_px).to(self.device, memory_format=memory_format(self.device))
        if self.precision != torch.float32:
            cast_weights(network, self.precision)
        return torch.compile(network, dynamic=False) if self.is_compiled else network
