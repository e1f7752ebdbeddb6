"""Images of any size come back with probabilities on their own grid, whatever the tiles were."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from histoloom.files import write_table
from histoloom.formats.images import write_image
from histoloom.networks import build_network, save_model
from histoloom.predict.inference import predict_image
from histoloom.predict.probabilities import quantised, read_probabilities
from histoloom.predict.tiling import OVERLAPS, WINDOWS
from histoloom.prepared import INDEX_COLUMNS

CLASSES = ["background", "nucleus"]
SCRIPTS = Path(__file__).parents[2] / "scripts"


class Redness(torch.nn.Module):
    """Logit of class 1 is the red channel in [-1, 1], of class 0 none: a known function of each pixel alone."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.batch = images.shape
        return torch.stack([torch.zeros_like(images[:, 0]), images[:, 0]], dim=1)


def predicted(image, *, network=None, overlap=4, window="hann", downsample=1, batch_size=3, precision=torch.float32):
    card = {"classes": CLASSES, "tile_px": 12, "downsample": downsample}
    return predict_image(
        network or Redness(),
        card,
        image,
        overlap=overlap,
        window=window,
        batch_size=batch_size,
        device=torch.device("cpu"),
        precision=precision,
    )


def probability_of_red(red):
    return 1 / (1 + np.exp(-(red.astype(float) / 127.5 - 1)))


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("overlap", OVERLAPS)
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("height", "width"), [(25, 31), (5, 40), (1, 1), (24, 12)])
def test_a_function_of_single_pixels_is_found_exactly(height, width, overlap, window):
    image = noise(height, width)
    probabilities = predicted(image, overlap=overlap, window=window)
    assert probabilities.shape == (height, width, 2)
    assert np.abs(probabilities[..., 1] - probability_of_red(image[..., 0])).max() < 1e-5
    assert np.abs(probabilities.sum(axis=2) - 1).max() < 1e-6


def test_batch_size_changes_nothing_but_rounding():
    image = noise(30, 20)
    one, many = predicted(image, batch_size=1), predicted(image, batch_size=100)
    assert np.abs(one - many).max() < 1e-6  # vectorised functions round by where a value lies in memory


def test_tiles_go_through_the_network_in_batches():
    network = Redness()
    predicted(noise(12, 12), network=network, overlap=4, batch_size=5)  # 3 x 3 tiles: batches of 5 and 4
    assert network.batch == (4, 3, 12, 12)


@pytest.mark.parametrize(("height", "width"), [(48, 36), (41, 35)])
def test_downsampled_prediction_returns_to_the_native_grid(height, width):
    columns = np.linspace(0, 255, width)
    image = np.repeat(np.repeat(columns[None, :, None], height, axis=0), 3, axis=2).round().astype(np.uint8)
    probabilities = predicted(image, downsample=2)
    assert probabilities.shape == (height, width, 2)
    # Of a ramp, area means and linear interpolation give the ramp back but for rounding and the border pixels.
    inner = np.s_[:, 2:-2]
    assert np.abs(probabilities[..., 1] - probability_of_red(image[..., 0]))[inner].max() < 0.01
    assert np.abs(probabilities.sum(axis=2) - 1).max() < 1e-6


def test_one_tile_prediction_is_the_network_itself():
    torch.manual_seed(0)
    network = build_network("unet", {"width": 2}, 2).eval()
    image = noise(32, 32)
    card = {"classes": CLASSES, "tile_px": 32, "downsample": 1}
    settings = {"overlap": 1, "window": "constant", "batch_size": 1, "device": torch.device("cpu")}
    probabilities = predict_image(network, card, image, **settings, precision=torch.float32)
    with torch.inference_mode():
        inputs = torch.from_numpy(image).permute(2, 0, 1)[None] / 127.5 - 1
        expected = network(inputs).softmax(dim=1)[0].permute(1, 2, 0).numpy()
    assert np.abs(probabilities - expected).max() < 1e-5
    rounded = predict_image(network, card, image, **settings, precision=torch.bfloat16)
    assert 0 < np.abs(rounded - expected).max() < 0.1


def test_bytes_are_the_nearest_255th():
    probabilities = np.array([[[0.0, 1.0], [0.25, 0.75]]], np.float32)
    assert quantised(probabilities).tolist() == [[[0, 255], [64, 191]]]  # 63.75 and 191.25


@pytest.fixture
def study(tmp_path):
    image = noise(40, 50)
    write_image(tmp_path / "images" / "a.png", image)
    write_image(tmp_path / "masks" / "a.png", np.zeros((40, 50), np.uint8))
    row = dict.fromkeys(INDEX_COLUMNS, "") | {"name": "a", "image": "images/a.png", "mask": "masks/a.png"}
    write_table(tmp_path / "index.csv", INDEX_COLUMNS, [row | {"height": 40, "width": 50}])
    write_table(tmp_path / "folds.csv", ("fold", "part", "name", "group"), [(0, "test", "a", "")])
    torch.manual_seed(0)
    card = {"network": "unet", "options": {"width": 2}, "classes": CLASSES, "tile_px": 32, "downsample": 2}
    save_model(tmp_path / "model.pt", build_network("unet", {"width": 2}, 2).state_dict(), card)
    return tmp_path


def predict_script(study, overlap, monkeypatch):
    flags = {
        "model": study / "model.pt",
        "index": study / "index.csv",
        "folds": study / "folds.csv",
        "fold": 0,
        "part": "test",
        "overlap": overlap,
        "window": "gaussian",
        "batch-size": 4,
        "precision": "float32",
        "probabilities": study / "probabilities",
    }
    words = [word for flag, value in flags.items() for word in (f"--{flag}", str(value))]
    monkeypatch.setattr(sys, "argv", ["predict_images.py", *words])
    runpy.run_path(str(SCRIPTS / "predict_images.py"), run_name="__main__")


def test_script_writes_bytes_on_the_native_grid(study, monkeypatch):
    predict_script(study, 4, monkeypatch)
    probabilities = read_probabilities(study / "probabilities" / "a.npy", 2)
    assert probabilities.shape == (40, 50, 2)
    assert np.isin(probabilities.astype(int).sum(axis=2), (254, 255, 256)).all()


def test_script_refuses_an_overlap_that_does_not_fit_and_leaves_nothing(study, monkeypatch):
    with pytest.raises(SystemExit, match="error: overlap 9 of tiles of 32 px"):
        predict_script(study, 9, monkeypatch)
    assert not (study / "probabilities").exists()


def test_six_classes_stay_apart_on_the_way_to_the_native_grid():
    class Levels(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.arange(6.0).view(1, 6, 1, 1) + 0 * images[:, :1]

    card = {"classes": list("abcdef"), "tile_px": 12, "downsample": 2}
    settings = {"overlap": 4, "window": "hann", "batch_size": 4, "device": torch.device("cpu")}
    probabilities = predict_image(Levels(), card, noise(25, 31), **settings, precision=torch.float32)
    expected = np.exp(np.arange(6)) / np.exp(np.arange(6)).sum()
    assert np.abs(probabilities - expected).max() < 1e-6
