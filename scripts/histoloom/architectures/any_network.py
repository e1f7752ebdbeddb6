"""Any network that can be imported: one of a library, or a lab's own, without a change to histoloom."""

import contextlib
import importlib
import inspect
import io
from argparse import ArgumentTypeError
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import nn

from histoloom.arguments import pair
from histoloom.errors import InputError
from histoloom.pretrained import ImageNetScaled, load_encoder

SCALINGS = ("symmetric", "unit", "imagenet")


def any_network(
    outputs: int,
    *,
    path: str = "",
    arguments: Sequence[str] = (),
    outputs_name: str = "classes",
    scaling: str = "symmetric",
    pretrained: str = "none",
) -> nn.Module:
    """The class at the import path `path`, called with `arguments` and the number of outputs as `outputs_name`.

    path: such as segmentation_models_pytorch.MAnet or my_lab.nets.Net, a subclass of torch.nn.Module. Its package must
    be installed where histoloom runs; a change in it is not noticed: train again with --forcerun train. That begins
    anew if the file of the class has changed; for a change elsewhere in the package delete the state folder too.
    arguments: words "name=value", the value a Python literal where it is one, else text: [depth=4, "norm=None"].
    outputs_name: such as classes (segmentation_models_pytorch), out_channels (MONAI) or num_classes.
    scaling: what RGB the network wants: symmetric (-1 to 1), unit (0 to 1) or imagenet (its mean and deviation).
    pretrained: none, or a .safetensors file of the network's attribute `encoder`. Weights that an argument makes the
    class download are asked for again whenever the model is loaded.
    The network takes (n, 3, height, width), sides multiples of 32, and gives logits (n, outputs, height, width); while
    training it may give a list, the finest first.
    Raises InputError for a path, an argument or a result that is none of this.
    Source: none of its own; cite the network's.
    """
    network = _built(_class_at(path), path, dict(map(_pair, arguments)) | {outputs_name: outputs})
    if pretrained != "none":
        _load(network, pretrained, path)
    return _Checked(_scaled(network, scaling), path, outputs)


class _Checked(nn.Module):
    """A foreign network whose outputs are looked at: a wrong size would else be an error somewhere in the training."""

    def __init__(self, network: nn.Module, path: str, outputs: int) -> None:
        super().__init__()
        self.network, self.path, self.outputs = network, path, outputs

    @property
    def encoder(self) -> nn.Module:
        """The encoder of the network; AttributeError where it has none."""
        return self.network.encoder

    def forward(self, images: Float[torch.Tensor, "n 3 height width"]) -> torch.Tensor | list[torch.Tensor]:
        """What the network gives, refused if it is no logits for the images."""
        output = self.network(images)
        several = self.training and isinstance(output, list | tuple)
        first = output[0] if several else output
        expected = (images.shape[0], self.outputs, *images.shape[-2:])
        if not isinstance(first, torch.Tensor) or first.shape != expected:
            found = tuple(first.shape) if isinstance(first, torch.Tensor) else type(first).__name__
            raise InputError(
                f"any_network: {self.path} gives {found}; expected logits {expected}; wrap it in a class that does"
            )
        return list(output) if several else output


class _Unit(nn.Module):
    """A network that wants RGB in [0, 1], fed with RGB in [-1, 1]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @property
    def encoder(self) -> nn.Module:
        """The encoder of the network; AttributeError where it has none."""
        return self.network.encoder

    def forward(self, images: Float[torch.Tensor, "n 3 height width"]) -> torch.Tensor | list[torch.Tensor]:
        """What the network gives for the scaled images."""
        return self.network((images + 1) / 2)


def _class_at(path: str) -> type[nn.Module]:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, ValueError, TypeError, AttributeError) as error:  # ValueError: no module before the dot
        raise InputError(
            f"any_network: option path={path!r} cannot be imported ({error}); expected package.module.Class; "
            "check it, and that its package is installed where histoloom runs"
        ) from error
    # A model's file names its network: whoever wrote it may make us build a module, not call a function.
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        raise InputError(
            f"any_network: option path={path!r} is {type(found).__name__} {found!r:.60}; expected a subclass of "
            "torch.nn.Module; write one that does the rest"
        )
    return found


def _pair(word: str) -> tuple[str, Any]:
    try:
        return pair(word)
    except ArgumentTypeError as error:
        raise InputError(
            f"any_network: option arguments: {error}; expected words name=value; write one, such as depth=4"
        ) from error


def _built(network: type[nn.Module], path: str, arguments: Mapping[str, Any]) -> nn.Module:
    try:
        inspect.signature(network).bind(**arguments)
        with contextlib.redirect_stdout(io.StringIO()):  # some networks print; a library is silent
            return network(**arguments)
    except (TypeError, ValueError, KeyError, OSError) as error:  # OSError: weights that it cannot download
        known = ", ".join(inspect.signature(network).parameters)
        raise InputError(
            f"any_network: {path} cannot be built with {dict(arguments)} ({type(error).__name__}: {error});\n"
            f"expected arguments among {known};\n"
            "correct arguments or outputs_name"
        ) from error


def _scaled(network: nn.Module, scaling: str) -> nn.Module:
    wrappers = dict(zip(SCALINGS, (lambda same: same, _Unit, ImageNetScaled), strict=True))
    if scaling not in wrappers:
        choices = ", ".join(SCALINGS)
        raise InputError(f"any_network: option scaling={scaling!r}; expected one of {choices}; choose one of these")
    return wrappers[scaling](network)


def _load(network: nn.Module, pretrained: str, path: str) -> None:
    encoder = getattr(network, "encoder", None)
    if pretrained == "imagenet" or not isinstance(encoder, nn.Module):
        found = "knows no ImageNet weights for it" if pretrained == "imagenet" else f"{path} has no encoder"
        raise InputError(
            f"any_network: option pretrained={pretrained}: {found}; expected none, or a .safetensors file of the "
            "network's attribute encoder; set pretrained: none"
        )
    load_encoder(encoder, pretrained, "any_network", dict, "")
