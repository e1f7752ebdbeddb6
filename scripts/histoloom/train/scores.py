"""What a training tells of itself while it runs, to whoever asks for it: the score of each epoch, and what it rests on.

Tuning reads it to compare trials before they are over.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from histoloom.files import atomic_file, write_text

COLUMNS = ("epoch", "val_score", "seconds", "best", "ended")


@dataclass(frozen=True)
class Epoch:
    """An epoch as history.csv has it: number, validation score, seconds, and why training ended with it, "" if not."""

    epoch: int
    val_score: float
    seconds: float
    best: int
    ended: str


def write_scores(
    path: Path,
    history: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    confusions: Int64[np.ndarray, "tiles classes classes"],
) -> None:
    """Write the epochs so far, and beside them, where the last one is the best, the confusion of each image in it.

    `names` are the images of the validation tiles. The confusion comes first: so who sees an epoch finds it there.
    """
    if history[-1]["best"]:
        images = sorted(set(names))
        by_image = np.zeros((len(images), *confusions.shape[1:]), np.int64)
        np.add.at(by_image, [images.index(name) for name in names], confusions)
        with atomic_file(beside(path)) as part, part.open("wb") as file:
            np.savez_compressed(file, images=np.array(images), confusion=by_image)
    rows = [{name: row[name] for name in COLUMNS} for row in history]
    write_text(path, json.dumps(rows) + "\n")


def read_scores(path: Path) -> list[Epoch]:
    """The epochs so far; none where nothing was written yet."""
    try:
        return [Epoch(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []


def beside(path: Path) -> Path:
    """Where the confusion of each image of the best epoch lies."""
    return path.with_suffix(".npz")
