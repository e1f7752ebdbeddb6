"""A study small enough to be run in a test: discs of which people drew a stroke within and one around."""

from pathlib import Path

import numpy as np
import yaml

from histoloom.formats.images import write_image
from histoloom.sample import IGNORE

SIDE, RADIUS = 64, 18
PATIENTS = ("a", "a", "b", "b", "c", "c", "d", "d")
STUDY = {
    "study": {"name": "sparse", "datasets": ["discs"], "baselines": [], "architectures": ["tiny"]},
    "datasets": {
        "discs": {
            "reader": "folder",
            "root": "data/discs",
            "options": {"classes": ["background=0", "tumour=1", "ignore=255"], "group": "([a-z])_", "mpp": 0.5},
            "tiles": {"tile_px": 64, "stride_px": 64},
            "split": {"scheme": "proportions", "validation": "images", "stratify": []},
            "rounds": {"count": 1, "parts": 2, "confidence": 0.6, "class_share": 0.8},
            "evaluate": {"metrics": ["dice", "iou"], "bootstrap": 100},
        }
    },
    "architectures": {"tiny": {"network": "unet", "options": {"width": 4}}},
    "train": {"epochs": 2, "repeats": 2, "learning_rate": 0.02, "probe_tiles": 1, "batch_size": 2},
    "predict": {"overlap": 1},
}


def disc(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, truth and strokes of one patient's image: a purple disc on pink."""
    rng = np.random.default_rng(number)
    row, column = rng.integers(24, 40, 2)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    inside = (rows - row) ** 2 + (columns - column) ** 2 <= RADIUS**2
    # Blocks of other brightness, or all images would count as one picture.
    light = np.kron(rng.integers(-110, 20, (16, 16, 1)), np.ones((4, 4, 1), int))
    image = np.where(inside[:, :, None], (120, 60, 150), (235, 190, 210)) + light
    strokes = np.full((SIDE, SIDE), IGNORE, np.uint8)
    strokes[row - 1 : row + 2, column - 8 : column + 9] = 1
    strokes[1:4, 4:60] = 0
    return image.clip(0, 255).astype(np.uint8), inside.astype(np.uint8), strokes


def write_discs(root: Path) -> None:
    """Write images/ and masks/ of eight images of four patients."""
    for number, patient in enumerate(PATIENTS):
        image, _, strokes = disc(number)
        write_image(root / "images" / f"{patient}_{number}.png", image)
        write_image(root / "masks" / f"{patient}_{number}.png", strokes)


def write_study(folder: Path, **changes) -> None:
    """Write study.yaml, with sections changed."""
    (folder / "study.yaml").write_text(yaml.safe_dump({**STUDY, **changes}))
