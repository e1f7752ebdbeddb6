"""Networks of segmentation_models_pytorch on an encoder chosen by name: built, scaled and given pretrained weights."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch
from huggingface_hub import constants, hf_hub_download, hf_hub_url
from huggingface_hub.file_download import repo_folder_name
from safetensors.torch import load_file
from segmentation_models_pytorch import encoders as library
from torch import nn

from histoloom.errors import InputError
from histoloom.plugins import suggestion
from histoloom.pretrained import ImageNetScaled, load_encoder

ENCODERS = library.encoders  # by name: how to build each, and where its weights are
WEIGHTS = "model.safetensors"  # the name of the weights in each of the library's repositories
# What comes after the last features, by the start of the encoder's name: the library leaves it in place but never calls
# it, and parameters without a gradient would stop a training in several processes.
UNUSED = {
    "efficientnet": ("_conv_head", "_bn1"),
    "timm-efficientnet": ("conv_head", "bn2"),
    "timm-tf_efficientnet": ("conv_head", "bn2"),
}
# A user's file may hold these too; the library has taken them out.
CLASSIFIERS = ("fc", "_fc", "head", "linear", "last_linear", "classifier")
# Trained on colours scaled in another way than ImageNetScaled does, so their weights would see wrong ones.
SCALED_OTHERWISE = ("dpn", "inception", "xception", "timm-tf_efficientnet_lite")


def on_encoder(
    architecture: str, build: Callable[..., nn.Module], outputs: int, encoder: str, pretrained: str
) -> nn.Module:
    """A network of the library, built by `build` on the named encoder, that takes RGB in [-1, 1].

    Raises InputError for an encoder that the library or this network does not know, and for weights that cannot be
    had or do not fit.
    """
    if encoder not in ENCODERS:
        raise InputError(f"{architecture}: option encoder={encoder!r}; {suggestion(str(encoder), sorted(ENCODERS))}")
    try:
        network = build(encoder_name=encoder, encoder_weights=None, classes=outputs)
    except ValueError as error:  # nothing but the encoder comes from the user
        raise InputError(
            f"{architecture}: option encoder={encoder!r} cannot be used here ({error}); expected one that can, such as "
            "resnet34; choose another encoder or another architecture"
        ) from error
    for part in _unused(encoder):
        delattr(network.encoder, part)
    _load(network.encoder, architecture, encoder, pretrained)
    return ImageNetScaled(network)


def _load(network: nn.Module, architecture: str, encoder: str, pretrained: str) -> None:
    settings = ENCODERS[encoder]["pretrained_settings"].get("imagenet")
    usable = settings is not None and not encoder.startswith(SCALED_OTHERWISE)
    if pretrained == "imagenet" and not usable:
        raise InputError(
            f"{architecture}: option pretrained='imagenet': {encoder} has no ImageNet weights for colours scaled by "
            "ImageNet's mean and deviation; expected an encoder that has, such as resnet34 or efficientnet-b0; choose "
            "one, or set pretrained: none"
        )
    fetch, where = (partial(_fetch, encoder, settings), _where(settings)) if usable else (dict, "")
    ignored = tuple(f"{part}." for part in (*_unused(encoder), *CLASSIFIERS))
    load_encoder(network, pretrained, architecture, fetch, where, ignored)


def _unused(encoder: str) -> tuple[str, ...]:
    return next((parts for start, parts in UNUSED.items() if encoder.startswith(start)), ())


def _fetch(encoder: str, settings: Mapping[str, str]) -> Mapping[str, torch.Tensor]:
    """The weights under the encoder's own names: of some encoders the library changes names as it loads them."""
    try:
        path = hf_hub_download(settings["repo_id"], WEIGHTS, revision=settings["revision"])
    except Exception as error:  # a hub that cannot be reached raises a dozen kinds, from its own to those of sockets
        raise OSError(str(error)) from error
    loaded = library.get_encoder(encoder, weights=None)
    loaded.load_state_dict(load_file(path))
    return loaded.state_dict()


def _where(settings: Mapping[str, str]) -> str:
    repository, revision = settings["repo_id"], settings["revision"]
    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repository, repo_type="model")
    url = hf_hub_url(repository, WEIGHTS, revision=revision)
    return f"{folder / 'snapshots' / revision / WEIGHTS} or a connection to {url}"
