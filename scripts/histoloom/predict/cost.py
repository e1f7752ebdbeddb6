"""What predicting images cost: seconds, memory and parameters beside the pixels that were predicted."""

import resource
import sys
from collections.abc import Sequence
from math import sqrt
from typing import Any

import torch
from torch import nn

from histoloom.prepared import IndexRow


def cost(
    rows: Sequence[IndexRow], seconds: float, networks: Sequence[nn.Module], device: torch.device
) -> dict[str, Any]:
    """What cost.json holds, of the images in `rows` that took `seconds` from reading to writing.

    `mpp` is the µm per pixel at which all pixels have the area of all images, None where an image does not state its
    own. Memory is the largest resident size of this process in MiB, on a GPU the most that tensors took there.
    """
    pixels = sum(row.height * row.width for row in rows)
    known = bool(rows) and all(row.mpp for row in rows)
    area = sum(row.height * row.width * row.mpp**2 for row in rows) if known else None
    return {
        "seconds": round(seconds, 3),
        "pixels": pixels,
        "mpp": None if area is None else sqrt(area / pixels),
        "peak_memory_mib": round(_peak_bytes(device) / 2**20),
        "parameters": sum(each.numel() for network in networks for each in network.parameters()),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
    }


def _peak_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # Linux counts in KiB, macOS in bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
