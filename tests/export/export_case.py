"""A small model of random weights, and what an export needs beside it."""

import argparse
from pathlib import Path

import torch

from histoloom.export.source import Source, read_source
from histoloom.files import write_json, write_text
from histoloom.networks import build_network, save_model

CLASSES = ["background", "stroma", "nucleus"]
CARD = {
    "network": "unet_small",
    "options": {},
    "classes": CLASSES,
    "has_maps": True,
    "tile_px": 64,
    "downsample": 1,
    "mpp": 0.5,
    "colours": {"mean": [0.7, 0.5, 0.6], "sd": [0.2, 0.2, 0.1]},
}


def write_model(path: Path, seed: int = 0, **changes: object) -> Path:
    """Write a model of random weights whose card is CARD but for `changes`."""
    card = CARD | changes
    torch.manual_seed(seed)
    outputs = len(card["classes"]) + 2 * card["has_maps"]
    network = build_network(card["network"], card["options"], outputs, card["colours"], has_maps=card["has_maps"])
    state = network.state_dict()
    state[[name for name in state if name.endswith("weight")][-1]] *= 20  # else one class wins everywhere
    save_model(path, state, card)
    return path


def write_beside(folder: Path) -> dict[str, Path]:
    """Write dataset.json and the card; their paths by the flags that name them."""
    description = {
        "name": "made",
        "reader": "made",
        "classes": CLASSES,
        "has_instances": True,
        "licence": "CC BY-NC 4.0",
        "citation": "Somebody 2020",
        "facts": {},
        "warnings": ["made by a test"],
        "skipped": 0,
    }
    write_json(folder / "dataset.json", description)
    write_text(folder / "card.md", "# The card\n")
    return {"dataset": folder / "dataset.json", "model-card": folder / "card.md"}


def source(folder: Path, **changes: object) -> Source:
    """A model as `read_source` gives it."""
    beside = write_beside(folder)
    model = write_model(folder / "fold0" / "model.safetensors", **changes)
    given = {"name": "made/unet_small", "model": [model], "reference": [], "dataset": beside["dataset"]}
    return read_source(argparse.Namespace(**given, model_card=beside["model-card"]))
