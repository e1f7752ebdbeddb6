"""TIAToolbox's semantic segmentor as benchmarks/inference.py runs it, in an environment that has it."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import torch
import zarr
from inference_definition import DEVICE, Peer, as_input, continued, cropped, stride_of
from tiatoolbox.models.engine.io_config import IOSegmentorConfig
from tiatoolbox.models.engine.semantic_segmentor import SemanticSegmentor
from tiatoolbox.models.models_abc import ModelABC
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from histoloom.networks import load_model


@contextmanager
def tiatoolbox(image: np.ndarray, arguments: argparse.Namespace) -> Iterator[Peer]:
    """TIAToolbox's SemanticSegmentor on an image file without tissue mask, its probabilities kept in memory.

    It knows no window but the constant one, and lays tiles beyond the lower and right border too.
    """
    if arguments.window != "constant":
        raise RuntimeError(f"window {arguments.window}: TIAToolbox knows the constant one alone")
    padded, tile, stride = continued(image, arguments), arguments.tile_px, stride_of(arguments)
    segmentor = SemanticSegmentor(
        Model(arguments.model).eval(), arguments.batch_size, device=DEVICE.type, verbose=False, num_workers=0
    )
    unit = [{"units": "baseline", "resolution": 1.0}]
    shapes = {"patch_input_shape": (tile, tile), "patch_output_shape": (tile, tile), "stride_shape": (stride, stride)}
    config = IOSegmentorConfig(input_resolutions=unit, output_resolutions=unit, **shapes)
    with tempfile.TemporaryDirectory(prefix="histoloom-") as folder:
        path = Path(folder) / "image.png"
        cv2.imwrite(str(path), padded[..., ::-1])

        def predict() -> np.ndarray:
            out = Path(folder) / "out"
            shutil.rmtree(out, ignore_errors=True)
            done = segmentor.run(
                [path], patch_mode=False, ioconfig=config, auto_get_mask=False, save_dir=out, output_type="zarr"
            )
            return cropped(zarr_classes(next(iter(done.values()))), image, arguments)

        yield Peer(predict, 0, lambda: {"tiles": len(segmentor.output_locations)})


def zarr_classes(path: Path) -> np.ndarray:
    """The classes that a segmentor wrote."""
    return np.asarray(zarr.open(str(path), mode="r")["predictions"]).squeeze().astype(np.uint8)


class Model(ModelABC):
    """The network as TIAToolbox takes one."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.network = load_model(path)[0]

    def forward(self, tiles: torch.Tensor) -> torch.Tensor:
        """Probabilities."""
        return self.network(tiles).softmax(1)

    @staticmethod
    @torch.no_grad()
    def infer_batch(model: nn.Module, batch_data: torch.Tensor, *, device: str) -> np.ndarray:
        """Probabilities of a batch of tiles, channels last."""
        return model(as_input(batch_data.to(device))).permute(0, 2, 3, 1).cpu().numpy()

    @staticmethod
    def postproc(image: np.ndarray) -> np.ndarray:
        """Classes."""
        return np.argmax(image, axis=-1)
