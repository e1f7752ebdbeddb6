"""A trained network in the form in which it computes fastest: the same function of its input, in fewer steps."""

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

TOLERANCE = 1e-4  # of the largest value: float32 rounding over a hundred layers
CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
CAST_BY_AUTOCAST = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


@torch.inference_mode(False)
@torch.no_grad()
def folded(network: nn.Module, side_px: int) -> nn.Module:
    """A copy of a network in eval mode on the CPU whose batch norms are part of the convolutions before them.

    It has to give what the network gives of an image of `side_px` pixels a side; where it does not, since layers are
    used in some way of the network's own, it is a copy with all batch norms as they were.
    """
    if not any(type(module) is nn.BatchNorm2d for module in network.modules()):
        return copy.deepcopy(network)
    sample = torch.rand(1, 3, side_px, side_px, generator=torch.Generator().manual_seed(0)) * 2 - 1
    form = copy.deepcopy(network)
    pairs, expected = _pairs(form, sample)
    for place, norm_place in pairs:
        convolution, norm = getattr(*place), getattr(*norm_place)
        is_transposed = isinstance(convolution, nn.ConvTranspose2d)
        setattr(*place, fuse_conv_bn_eval(convolution, norm, transpose=is_transposed))
        setattr(*norm_place, nn.Identity())
    return form if _agrees(form, sample, expected) else copy.deepcopy(network)


def cast_weights(network: nn.Module, precision: torch.dtype) -> nn.Module:
    """Keep weights of convolutions and linear layers in the number type to which autocast casts them at each batch.

    In place. No value changes by it: other layers keep float32, as they do under autocast.
    """
    for module in network.modules():
        if type(module) in CAST_BY_AUTOCAST:
            module.to(precision)
    return network


Place = tuple[nn.Module, str]  # a module, and the name of the part of it that is meant


def _pairs(network: nn.Module, sample: torch.Tensor) -> tuple[list[tuple[Place, Place]], torch.Tensor]:
    # Batch norms that are given just what a convolution gave, each of both used once; and what the network gives.
    calls: list[tuple[nn.Module, torch.Tensor, torch.Tensor]] = []

    def note(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        calls.append((module, inputs[0], output))

    noted = [module for module in network.modules() if type(module) in (*CONVOLUTIONS, nn.BatchNorm2d)]
    hooks = [module.register_forward_hook(note) for module in noted]
    expected = network(sample)
    for hook in hooks:
        hook.remove()
    makers = {id(output): module for module, _, output in calls if isinstance(module, CONVOLUTIONS)}
    found = [(makers.get(id(given)), norm) for norm, given, _ in calls if isinstance(norm, nn.BatchNorm2d)]
    used = [id(module) for module, _, _ in calls]
    places = {id(part): (module, name) for module in network.modules() for name, part in module.named_children()}
    pairs = [
        (places[id(convolution)], places[id(norm)])
        for convolution, norm in found
        if convolution is not None
        and used.count(id(convolution)) == used.count(id(norm)) == 1
        and _is_foldable(convolution, norm)
    ]
    return pairs, expected


def _is_foldable(convolution: nn.Module, norm: nn.BatchNorm2d) -> bool:
    is_grouped = isinstance(convolution, nn.ConvTranspose2d) and convolution.groups > 1
    return norm.track_running_stats and not is_grouped


def _agrees(network: nn.Module, sample: torch.Tensor, expected: torch.Tensor) -> bool:
    return bool((network(sample) - expected).abs().max() <= TOLERANCE * expected.abs().max())
