"""Pretrained encoders: the option `pretrained` of every architecture, "none", "imagenet" or a .safetensors file."""

import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from histoloom.errors import InputError

SUFFIX = ".safetensors"
NAMED = 3  # so many keys are named in a message, the rest counted
COUNTER = ".num_batches_tracked"  # of batch norm: old files lack it, and nothing is computed from it
IMAGENET_MEAN = (0.485, 0.456, 0.406)  # of RGB in [0, 1], as ImageNet encoders are trained with
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
# What downloads and damaged files raise: OSError covers lost connections, HTTP answers and the hub's offline errors.
UNAVAILABLE = (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError, SafetensorError)


class ImageNetScaled(nn.Module):
    """A network that wants RGB of ImageNet's mean and standard deviation, fed with RGB in [-1, 1]."""

    def __init__(self, network: nn.Module) -> None:
        """Hold the network; the scaling is the same whatever weights it starts from, so a model can be reloaded."""
        super().__init__()
        self.network = network
        mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_DEVIATION))
        # In [-1, 1], whose unit is half as large. Constants of the code, hence not in the state dict.
        self.register_buffer("mean", 2 * mean - 1, persistent=False)
        self.register_buffer("deviation", 2 * deviation, persistent=False)

    @property
    def encoder(self) -> nn.Module:
        """The encoder of the network; AttributeError where it has none."""
        return self.network.encoder

    def scaled(self, images: Float[torch.Tensor, "n 3 height width"]) -> Float[torch.Tensor, "n 3 height width"]:
        """The images in the units of the network."""
        return (images - self.mean) / self.deviation

    def forward(self, images: Float[torch.Tensor, "n 3 height width"]) -> torch.Tensor | list[torch.Tensor]:
        """What the network gives for the scaled images."""
        return self.network(self.scaled(images))


def load_encoder(
    encoder: nn.Module,
    pretrained: str,
    architecture: str,
    fetch: Callable[[], Mapping[str, torch.Tensor]],
    where: str,
    ignored: Sequence[str] = (),
) -> None:
    """Give an encoder the weights that the option `pretrained` of an architecture names.

    "none" leaves it as it is. "imagenet" takes what `fetch` finds in its library's cache or downloads; `where` says in
    words which file that is, and from where. A path ending in .safetensors is read. Names and shapes of weights must
    be the encoder's own; those that begin with one of `ignored` (such as a classifier's "fc.") are left out.
    Raises InputError for any other value, for weights that cannot be had, and for weights that do not fit.
    """
    if pretrained == "none":
        return
    if pretrained == "imagenet":
        weights, source = _fetched(architecture, fetch, where), f"ImageNet weights, {where}"
    elif isinstance(pretrained, str) and pretrained.endswith(SUFFIX):
        weights, source = _read(architecture, Path(pretrained)), pretrained
    else:
        raise InputError(
            f"{architecture}: option pretrained={pretrained!r}; expected one of none, imagenet or the path of a "
            f"{SUFFIX} file; choose one of these"
        )
    own = encoder.state_dict()
    kept = {key: value for key, value in weights.items() if key in own or not key.startswith(tuple(ignored))}
    kept = {key: value for key, value in own.items() if key.endswith(COUNTER)} | kept
    _check_fit(f"{architecture}: pretrained weights {source}", own, kept)
    encoder.load_state_dict(kept)


def torch_cache(url: str) -> str:
    """Where torch keeps what it downloads from `url`, in words for `load_encoder`."""
    return f"{Path(torch.hub.get_dir()) / 'checkpoints' / Path(url).name} or a connection to {url}"


def fetch_url(url: str) -> Mapping[str, torch.Tensor]:
    """A state dict from torch's cache, or from `url` into it, checked against the hash in the file's name.

    Nothing but tensors is unpickled, so a foreign file cannot run code.
    """
    return torch.hub.load_state_dict_from_url(
        url, map_location="cpu", progress=False, check_hash=True, weights_only=True
    )


def _fetched(
    architecture: str, fetch: Callable[[], Mapping[str, torch.Tensor]], where: str
) -> Mapping[str, torch.Tensor]:
    try:
        return fetch()
    except UNAVAILABLE as error:
        raise InputError(
            f"{architecture}: ImageNet weights cannot be loaded ({_reason(error)});\n"
            f"expected {where};\n"
            f"download that file and put it there, or set the option pretrained to none or to a {SUFFIX} file"
        ) from error


def _read(architecture: str, path: Path) -> Mapping[str, torch.Tensor]:
    if not path.is_file():
        raise InputError(
            f"{architecture}: option pretrained={path}: no such file; expected weights of its encoder; check the path, "
            "which is relative to the folder in which snakemake is started"
        )
    try:
        return load_file(path)
    except UNAVAILABLE as error:
        raise InputError(
            f"{architecture}: option pretrained={path}: cannot be read ({_reason(error)}); expected a whole {SUFFIX} "
            "file; it is damaged or foreign: copy it again, or write it with safetensors.torch.save_file"
        ) from error


def _check_fit(source: str, own: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> None:
    shapes = [
        f"{key} {_shape(given[key])} for {_shape(own[key])}"
        for key in own.keys() & given.keys()
        if own[key].shape != given[key].shape
    ]
    wrong = {"missing": own.keys() - given.keys(), "unexpected": given.keys() - own.keys(), "of another shape": shapes}
    lines = [f"{len(keys)} {what} ({_some(keys)})" for what, keys in wrong.items() if keys]
    if lines:
        raise InputError(
            f"{source}: do not fit the encoder; expected its own {len(own)} names and shapes;\n"
            f"found {'; '.join(lines)};\n"
            "give weights of this very encoder, or set the option pretrained: none"
        )


def _some(keys: Sequence[str] | set[str]) -> str:
    named = sorted(keys)[:NAMED]
    return ", ".join(named) + (", ..." if len(keys) > NAMED else "")


def _shape(tensor: torch.Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def _reason(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
