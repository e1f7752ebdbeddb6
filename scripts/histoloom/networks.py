"""Networks by name: built, fed, saved with a card that says what they are, and loaded again from that card alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import nn
from torch.nn import functional

from histoloom import plugins
from histoloom.errors import InputError
from histoloom.model_files import read_model_file, write_model_file
from histoloom.targets import Outputs

SIDES = 32  # every architecture takes sides that are multiples of it; AnySize does the rest
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
BFLOAT16_UNITS = ("avx512_bf16", "amx_bf16", "bf16")  # names of torch.cpu.get_capabilities, the last one ARM's

CARD = {"network": str, "options": dict, "classes": list}
CARD_MAY_SAY = {"has_maps": bool, "tile_px": int, "downsample": int, "mpp": int | float, "score": int | float}


class AnySize(nn.Module):
    """A network that takes images of any size: its input is padded to multiples of 32, its output cropped back.

    In training mode a network may give a list: its output, then coarser ones for deep supervision, finest first. They
    are brought to the size of the images.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Float[torch.Tensor, "n 3 height width"]) -> torch.Tensor | list[torch.Tensor]:
        """What the network gives, on the grid of the images."""
        height, width = images.shape[-2:]
        below, right = -height % SIDES, -width % SIDES
        if below or right:
            images = functional.pad(images, (0, right, 0, below), mode="replicate")
        output = self.network(images)
        if isinstance(output, torch.Tensor):
            assert output.shape[-2:] == images.shape[-2:], (output.shape, images.shape)
            return output[..., :height, :width]
        size = images.shape[-2:]
        return [self._enlarged(each, size)[..., :height, :width] for each in output]

    @staticmethod
    def _enlarged(output: torch.Tensor, size: torch.Size) -> torch.Tensor:
        same = output.shape[-2:] == size
        return output if same else functional.interpolate(output, size, mode="bilinear", align_corners=False)


class Standardised(nn.Module):
    """A network behind its input's standardisation: each channel less the mean, divided by the standard deviation.

    `mean` and `sd` are of red, green and blue in 0 to 1, over the training images. They are kept with the weights.
    """

    def __init__(self, network: nn.Module, mean: Sequence[float], sd: Sequence[float]) -> None:
        super().__init__()
        self.network = network
        # In the units of network_input, whose -1 to 1 is twice as wide.
        self.register_buffer("mean", 2 * torch.tensor(mean, dtype=torch.float32).view(3, 1, 1) - 1)
        self.register_buffer("sd", 2 * torch.tensor(sd, dtype=torch.float32).view(3, 1, 1))

    def forward(self, images: Float[torch.Tensor, "n 3 height width"]) -> torch.Tensor | list[torch.Tensor]:
        """What the network gives for the standardised images."""
        return self.network((images - self.mean) / self.sd)


def build_network(
    network: str,
    options: Mapping[str, Any],
    outputs: int,
    colours: Mapping[str, Sequence[float]] | None = None,
    has_maps: bool = False,
) -> nn.Module:
    """Build the architecture plug-in `network` with `outputs` channels; its weights follow torch's generator.

    The module takes float32 (n, 3, height, width) of any size and gives (n, outputs, height, width); in training mode
    it may give a list of such tensors, the later ones from coarser levels (deep supervision). With `colours` ("mean"
    and "sd" of each channel, 0 to 1) it standardises what it is given. `has_maps` says that the last two outputs are
    instance maps; a network with an option `map_branch` gets a branch of its own for them.
    Raises InputError for an unknown network or option.
    """
    known = list(plugins.options("architectures", network))
    for option in options:
        if option not in known:
            choices = plugins.suggestion(option, known) if known else "it has none"
            raise InputError(f"architecture {network}: unknown option '{option}'; {choices}")
    if "map_branch" in known:
        if options.get("map_branch", has_maps) != has_maps:
            raise InputError(
                f"architecture {network}: option map_branch={options['map_branch']}, but the loss "
                f"{'has' if has_maps else 'has no'} term of instance maps (hv); expected both or neither; "
                "leave the option out, which follows the loss"
            )
        options = {**options, "map_branch": has_maps}
    built = AnySize(plugins.load("architectures", network)(outputs, **options))
    return Standardised(built, colours["mean"], colours["sd"]) if colours else built


def encoder_of(network: nn.Module, name: str) -> nn.Module:
    """The part that the architecture `name` calls its encoder, which training may freeze.

    Raises InputError where it has none.
    """
    inner = network
    while isinstance(inner, AnySize | Standardised):
        inner = inner.network
    encoder = getattr(inner, "encoder", None)
    if not isinstance(encoder, nn.Module):
        raise InputError(
            f"architecture {name}: has no encoder; expected one that can be frozen; set train.freeze_encoder_epochs: 0"
        )
    return encoder


def network_input(images: UInt8[torch.Tensor, "n height width 3"]) -> Float[torch.Tensor, "n 3 height width"]:
    """RGB bytes as float32 in [-1, 1], in the memory format that suits the device."""
    return (images.permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous(memory_format=memory_format(images.device))


def memory_format(device: torch.device) -> torch.memory_format:
    """How a network's values lie in memory where it computes fastest: channels last where there are matrix units.

    Those are a GPU's, or AMX on a CPU. On a CPU without, instance norms turn each value around twice, which costs more
    than the convolutions gain (benchmarks/training.md).
    """
    has_units = device.type == "cuda" or torch.cpu.get_capabilities().get("amx_bf16", False)
    return torch.channels_last if has_units else torch.contiguous_format


def resolve_precision(precision: str, device: torch.device) -> torch.dtype:
    """The number type to run a network in: "auto" is bfloat16 where the device computes in it, else what is fastest.

    That is float16 on a GPU and float32 on a CPU without bfloat16 units, where emulation would be slower.
    Raises InputError for float16 on a CPU, and for an unknown word.
    """
    if precision == "auto":
        return _fastest(device)
    if precision not in PRECISIONS:
        raise InputError(f"precision '{precision}'; {plugins.suggestion(precision, ['auto', *PRECISIONS])}")
    if precision == "float16" and device.type == "cpu":
        raise InputError("precision float16 on a CPU; expected float32 or bfloat16 there; set precision: auto")
    return PRECISIONS[precision]


def save_model(path: Path, state_dict: Mapping[str, torch.Tensor], card: Mapping[str, Any]) -> None:
    """Write weights and card to one .safetensors file, atomically; the same weights and card give the same bytes.

    The card is plain JSON and names at least `network`, `options` and `classes`, which `load_model` builds from.
    Raises InputError for weights that such a file cannot hold.
    """
    write_model_file(path, state_dict, card)


def load_model(path: Path) -> tuple[nn.Module, dict[str, Any]]:
    """Read a model as a network in eval mode on the CPU, and its card.

    An option `pretrained` names weights to start training from; here it is "none", for all weights are in the file.
    Raises InputError for a file that is missing, damaged, or no model of histoloom.
    """
    content = read_model(path)
    card = content["card"]
    options = {key: "none" if key == "pretrained" else value for key, value in card["options"].items()}
    outputs = Outputs(tuple(card["classes"]), card.get("has_maps", False))
    try:
        network = build_network(card["network"], options, outputs.count, card.get("colours"), has_maps=outputs.has_maps)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except Exception as error:  # options that the network cannot be built with raise whatever it raises
        raise InputError(
            f"{path}: its network {card['network']} cannot be built with options {card['options']} "
            f"({type(error).__name__}: {error}); expected a model of this version of histoloom; train it again"
        ) from error
    try:
        network.load_state_dict(content["state"])
    except RuntimeError as error:
        raise InputError(
            f"{path}: its weights do not fit its network {card['network']} with options {card['options']}; "
            "expected a model of this version of histoloom; train it again"
        ) from error
    return network.eval(), card


def read_model(path: Path) -> dict[str, Any]:
    """The weights ("state") and card ("card") of a model file; nothing in it is executed.

    Raises InputError for a file that is missing, damaged, or no model of histoloom.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such model; expected a file that training wrote; train it or check the path")
    state, card = read_model_file(path)
    if not _is_card(card):
        raise InputError(
            f"{path}: holds no model of histoloom; expected weights with a card of network, options and classes; "
            "give a model.safetensors that training wrote"
        )
    return {"state": state, "card": card}


def _fastest(device: torch.device) -> torch.dtype:
    if device.type == "cuda":
        # Without emulation: older GPUs accept bfloat16, but compute it slower than float16.
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "cpu" and any(torch.cpu.get_capabilities().get(unit, False) for unit in BFLOAT16_UNITS):
        return torch.bfloat16
    return torch.float32


def _is_card(card: Any) -> bool:
    return (
        isinstance(card, dict)
        and all(isinstance(card.get(key), kind) for key, kind in CARD.items())
        and all(isinstance(card[key], kind) for key, kind in CARD_MAY_SAY.items() if card.get(key) is not None)
        and all(isinstance(name, str) for name in card["classes"])
        and _are_colours(card.get("colours"))
    )


def _are_colours(colours: Any) -> bool:
    if colours is None:
        return True
    values = [colours.get(key) for key in ("mean", "sd")] if isinstance(colours, dict) else [None]
    return all(isinstance(each, list) and len(each) == 3 and {*map(type, each)} <= {int, float} for each in values)
