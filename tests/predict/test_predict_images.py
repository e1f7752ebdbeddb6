"""The script that predicts the images of a part writes probabilities and instance maps as bytes, or nothing at all."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from histoloom.files import write_table
from histoloom.formats.images import write_image
from histoloom.networks import build_network, save_model
from histoloom.predict.engine.engine import Engine, EngineSettings
from histoloom.predict.inference import predict_image
from histoloom.predict.probabilities import read_maps, read_probabilities
from histoloom.prepared import INDEX_COLUMNS

SCRIPT = Path(__file__).parents[2] / "scripts" / "predict_images.py"
CARD = {
    "network": "unet",
    "options": {"width": 2},
    "classes": ["background", "nucleus"],
    "tile_px": 32,
    "downsample": 2,
}


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def study(tmp_path):
    image = noise(40, 50)
    write_image(tmp_path / "images" / "a.png", image)
    write_image(tmp_path / "masks" / "a.png", np.zeros((40, 50), np.uint8))
    row = dict.fromkeys(INDEX_COLUMNS, "") | {"name": "a", "image": "images/a.png", "mask": "masks/a.png"}
    write_table(tmp_path / "index.csv", INDEX_COLUMNS, [row | {"height": 40, "width": 50}])
    write_table(tmp_path / "folds.csv", ("fold", "part", "name", "group"), [(0, "test", "a", "")])
    torch.manual_seed(0)
    save_model(tmp_path / "model.safetensors", build_network("unet", {"width": 2}, 2).state_dict(), CARD)
    return tmp_path


def predict_script(study, overlap, monkeypatch, models=("model.safetensors",), **more):
    flags = {
        "index": study / "index.csv",
        "folds": study / "folds.csv",
        "fold": 0,
        "part": "test",
        "overlap": overlap,
        "window": "gaussian",
        "batch-size": 4,
        "precision": "float32",
        "probabilities": study / "probabilities",
        "maps": study / "maps",
        "cost": study / "cost.json",
        **more,
    }
    words = [word for flag, value in flags.items() for word in (f"--{flag}", str(value))]
    words = ["--model", *(str(study / model) for model in models), *words]
    monkeypatch.setattr(sys, "argv", ["predict_images.py", *words])
    runpy.run_path(str(SCRIPT), run_name="__main__")


def test_script_writes_bytes_on_the_native_grid(study, monkeypatch):
    predict_script(study, 4, monkeypatch)
    probabilities = read_probabilities(study / "probabilities" / "a.npy", 2)
    assert probabilities.shape == (40, 50, 2)
    assert np.isin(probabilities.astype(int).sum(axis=2), (254, 255, 256)).all()
    told = json.loads((study / "cost.json").read_text())
    assert (told["device"], told["mpp"]) == ("cpu", None)
    assert told["pixels"] == 40 * 50
    assert told["seconds"] > 0
    assert told["parameters"] > 0
    assert list((study / "maps").iterdir()) == []


def test_script_writes_the_maps_of_a_network_that_has_them(study, monkeypatch):
    torch.manual_seed(0)
    network = build_network("unet", {"width": 2}, 4).eval()
    card = CARD | {"has_maps": True}
    save_model(study / "model.safetensors", network.state_dict(), card)
    predict_script(study, 4, monkeypatch)
    settings = EngineSettings(overlap=4, window="gaussian", batch_size=4, precision="float32")
    _, maps = predict_image(Engine([network], card, settings, torch.device("cpu")), noise(40, 50))
    assert (maps.min() < -0.01) and (maps.max() > 0.01)
    found = read_maps(study / "maps", "a")
    assert np.abs(found - 127 * np.clip(maps, -1, 1)).max() <= 0.5 + 1e-3
    assert read_probabilities(study / "probabilities" / "a.npy", 2).shape == (40, 50, 2)


def test_script_refuses_an_overlap_that_does_not_fit_and_leaves_nothing(study, monkeypatch):
    with pytest.raises(SystemExit, match="error: overlap 9 of tiles of 32 px"):
        predict_script(study, 9, monkeypatch)
    assert not (study / "probabilities").exists()
    assert not (study / "maps").exists()


def test_script_averages_models_turns_tiles_and_takes_another_window_where_asked(study, monkeypatch):
    networks = []
    for seed in range(2):
        torch.manual_seed(seed)
        networks.append(build_network("unet", {"width": 2}, 2).eval())
        save_model(study / f"{seed}.safetensors", networks[-1].state_dict(), CARD)
    more = {"tta": "true", "window-px": 48}
    predict_script(study, 9, monkeypatch, ["0.safetensors", "1.safetensors"], **more)
    settings = EngineSettings(9, "gaussian", 4, "float32", window_px=48, tta=True)
    expected, _ = predict_image(Engine(networks, CARD, settings, torch.device("cpu")), noise(40, 50))
    found = read_probabilities(study / "probabilities" / "a.npy", 2)
    assert np.abs(found - 255 * expected).max() <= 0.5 + 1e-3


def test_script_refuses_models_of_other_classes(study, monkeypatch):
    save_model(
        study / "other.safetensors", build_network("unet", {"width": 2}, 2).state_dict(), CARD | {"classes": ["a", "b"]}
    )
    with pytest.raises(
        SystemExit, match=r"error: .*other.safetensors: classes \['a', 'b'\]; expected \['background', 'nucleus'\]"
    ):
        predict_script(study, 4, monkeypatch, ["model.safetensors", "other.safetensors"])
    assert not (study / "probabilities").exists()
