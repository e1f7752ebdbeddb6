"""Pixels on their way to the network's device, and what was predicted on its way back, as numbers or as bytes."""

from collections import deque
from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Float32, Int8, Shaped, UInt8

NO_NUMBERS = (
    "gave no numbers (NaN) at some pixels; expected probabilities; set predict.precision: float32, or train it again"
)
Bands = Iterator[tuple[int, Float32[torch.Tensor, "_ _ _"]]]


def on_device(pixels: Shaped[np.ndarray, "..."], device: torch.device) -> Shaped[torch.Tensor, "..."]:
    """An array as a tensor on the device, which is on its way there when this returns."""
    tensor = torch.from_numpy(pixels if pixels.flags.writeable else pixels.copy())
    # From pinned memory, so that the copy waits for nothing that the GPU still computes.
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def on_host(
    bands: Bands, form: Callable[[torch.Tensor], tuple[torch.Tensor, ...]]
) -> Iterator[tuple[int, tuple[Shaped[np.ndarray, "_ _ _"], ...]]]:
    """Bands (first row, parts) as arrays, after `form` has made on the device what is to be copied.

    On a GPU a band is handed on while the next one is computed, so that neither side waits for the other.
    """
    waiting = deque()
    for first, values in bands:
        waiting.append((first, *_started(form(values), values.device)))
        # On a CPU nothing runs beside it that one could wait for.
        while len(waiting) > (values.device.type == "cuda"):
            yield _done(*waiting.popleft())
    for each in waiting:
        yield _done(*each)


def as_bytes(
    values: Float32[torch.Tensor, "rows width channels"], class_count: int
) -> tuple[UInt8[torch.Tensor, "rows width classes"], Int8[torch.Tensor, "rows width maps"]]:
    """Probabilities and instance maps, of which there may be none, rounded as probabilities.py rounds them.

    Where a network gave no numbers (NaN) all probabilities are 0, which no sum of one can give.
    """
    probabilities, maps = values.nan_to_num(0).split([class_count, values.shape[2] - class_count], dim=2)
    return (probabilities * 255).round().to(torch.uint8), (maps.clamp(-1, 1) * 127).round().to(torch.int8)


def _started(
    parts: tuple[torch.Tensor, ...], device: torch.device
) -> tuple[tuple[torch.Tensor, ...], torch.cuda.Event | None]:
    if device.type != "cuda":
        return parts, None
    hosts = tuple(torch.empty(part.shape, dtype=part.dtype, pin_memory=True) for part in parts)
    for host, part in zip(hosts, parts, strict=True):
        host.copy_(part, non_blocking=True)
    event = torch.cuda.Event()
    event.record()
    return hosts, event


def _done(
    first: int, parts: tuple[torch.Tensor, ...], event: torch.cuda.Event | None
) -> tuple[int, tuple[np.ndarray, ...]]:
    if event is not None:
        event.synchronize()
    return first, tuple(part.numpy() for part in parts)
