"""How many tiles go through a network at once, chosen by trying."""

import statistics
import time
from collections.abc import Callable

import torch

from histoloom.memory import is_lack_of_memory

SIZES = {"cpu": (1, 2, 4, 8, 16), "cuda": (4, 8, 16, 32, 64, 128)}
TRIES = 3
GAIN = 0.97  # a larger batch has to take less than this share of the time of the best one before it


def quickest_batch_size(values: Callable[[torch.Tensor], torch.Tensor], side_px: int, device: torch.device) -> int:
    """The number of tiles of `side_px` pixels a side for which `values` takes the shortest time a tile.

    Of sizes that are about as quick the smallest, since it needs the least memory. Larger ones are tried until the
    memory does not suffice. Which one it is may differ from run to run, and with it the last bits of what is predicted.
    """
    best, seconds = 1, float("inf")
    for size in SIZES["cuda" if device.type == "cuda" else "cpu"]:
        try:
            found = _seconds_a_tile(values, torch.zeros(size, 3, side_px, side_px, device=device))
        except (MemoryError, RuntimeError) as error:
            if not is_lack_of_memory(error):
                raise
            break
        if found < GAIN * seconds:
            best, seconds = size, found
    return best


def _seconds_a_tile(values: Callable[[torch.Tensor], torch.Tensor], tiles: torch.Tensor) -> float:
    seconds = []
    for _ in range(TRIES + 1):  # the first one sets up, and is not counted
        start = time.perf_counter()
        float(values(tiles)[0, 0, 0, 0])  # waits until it is computed
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:]) / len(tiles)
