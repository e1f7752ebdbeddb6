"""A small slide with tissue on glass, a model of few weights, and the flags that predict one by the other."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from histoloom.files import write_json
from histoloom.formats.images import write_image
from histoloom.networks import build_network, save_model
from tests.slides.made_slides import MadeTissue, write_pyramid

ROOT = Path(__file__).parents[2]
MPP = 0.5
TISSUE_MPP = 8.0
CLASSES = ["background", "stroma", "nucleus"]
CARD = {
    "network": "unet",
    "options": {"width": 2},
    "classes": CLASSES,
    "has_maps": True,
    "tile_px": 32,
    "downsample": 1,
    "mpp": MPP,
}


@dataclass
class SlideCase:
    """Inputs on disk, and how to predict them; `flags` override the usual ones."""

    folder: Path
    height: int
    width: int
    models: list[str] = field(default_factory=lambda: ["model.safetensors"])
    flags: dict = field(default_factory=dict)

    def write(self) -> "SlideCase":
        """Write slide, tissue and model."""
        made = MadeTissue(self.height, self.width)
        write_pyramid(self.folder / "slide.tif", made.rows, self.height, self.width, compression="deflate", mpp=MPP)
        scale = TISSUE_MPP / MPP
        size = [round(side / scale) for side in (self.height, self.width)]
        tissue = made.tissue(0, self.height)[int(scale / 2) :: int(scale), int(scale / 2) :: int(scale)]
        write_image(self.folder / "tissue.png", (tissue[: size[0], : size[1]] * 255).astype(np.uint8))
        facts = {"name": "a", "slide": "slide.tif", "width": self.width, "height": self.height, "mpp": MPP}
        write_json(self.folder / "slide.json", facts | {"tissue_mpp": TISSUE_MPP})
        self.write_model("model.safetensors")
        return self

    def write_model(self, name: str, seed: int = 0, **changes) -> None:
        """Write a model whose card is the usual one but for `changes`."""
        card = CARD | changes
        torch.manual_seed(seed)
        network = build_network("unet", {"width": 2}, len(card["classes"]) + 2 * card["has_maps"])
        save_model(self.folder / name, network.state_dict(), card)

    def words(self) -> list[str]:
        """The command line, from the script's path on."""
        values = {
            "slide": self.folder / "slide.tif",
            "slide-json": self.folder / "slide.json",
            "tissue": self.folder / "tissue.png",
            "choose": "best",
            "outside": 0,
            "overlap": 4,
            "window": "hann",
            "batch-size": 8,
            "precision": "float32",
            "code": "code",
            "state": self.folder / "state",
            "probabilities": self.folder / "prediction" / "probabilities",
            "maps": self.folder / "prediction" / "maps",
            **self.flags,
        }
        models = [str(self.folder / model) for model in self.models]
        words = [word for flag, value in values.items() for word in (f"--{flag}", str(value))]
        return [str(ROOT / "scripts" / "predict_slide.py"), "--model", *models, *words]

    def result(self) -> dict[str, bytes]:
        """All files that were predicted, by their place."""
        folder = self.folder / "prediction"
        return {
            str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
        }
