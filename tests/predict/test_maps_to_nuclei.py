"""From a loss with maps and distances to nuclei: training, prediction, tuning and post-processing hand on what fits."""

import csv
import json
import runpy
import subprocess
import sys

import numpy as np
import pytest
import torch

from histoloom.files import write_table
from histoloom.formats.images import read_instances, write_image, write_instances
from histoloom.prepared import INDEX_COLUMNS
from tests.train.training_case import AUGMENTATION, ROOT, SIZE, environment_with, make_case

torch.set_num_threads(1)
STILL = {key: 0 for key, value in AUGMENTATION.items() if value != "true" and not key.endswith(("grid-px", "width-px"))}
SETTINGS = {
    **STILL, "loss": "4*bce + hv + 0.01*boundary", "repeats": 150, "epochs": 1, "batch-size": 4,
    "learning-rate": 0.005, "ema-decay": 0.0, "option": "width=8",
}  # fmt: skip


def trained(folder):
    """Train on the discs of the training case; give their folder, with what prediction reads laid beside."""
    case = make_case(folder, settings=SETTINGS, checkpoint_minutes=10, loader_workers=0)
    command = [sys.executable, "scripts/train.py", *case.flags()]
    done = subprocess.run(command, cwd=ROOT, env=environment_with(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    inputs = folder / "inputs"
    sizes = {"images": (6, SIZE, SIZE, 3), "masks": (6, SIZE, SIZE), "instances": (6, SIZE, SIZE)}
    arrays = {name: np.load(inputs / f"{name}.npy").reshape(size) for name, size in sizes.items()}
    rows = []
    for place in range(6):
        files = {part: f"{part}/image_{place}.png" for part in sizes}
        for part, array in arrays.items():
            (write_instances if part == "instances" else write_image)(inputs / files[part], array[place])
        row = dict.fromkeys(INDEX_COLUMNS, "") | {"name": f"image_{place}", "height": SIZE, "width": SIZE}
        rows.append(row | {"image": files["images"], "mask": files["masks"], "instances": files["instances"]})
    write_table(inputs / "index.csv", INDEX_COLUMNS, rows)
    return inputs


def run_script(name, flags, monkeypatch):
    words = [
        str(word)
        for flag, value in flags.items()
        for word in (f"--{flag}", *(value if isinstance(value, list) else [value]))
    ]
    monkeypatch.setattr(sys, "argv", [name, *words])
    runpy.run_path(str(ROOT / "scripts" / f"{name}.py"), run_name="__main__")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("discs"))


def test_a_loss_of_maps_and_distances_ends_in_nuclei(inputs, tmp_path, monkeypatch):
    fold = {"index": inputs / "index.csv", "folds": inputs / "folds.csv", "fold": 0}
    how = {"overlap": 1, "window": "hann", "batch-size": 4, "precision": "float32"}
    predicted = {part: {kind: tmp_path / part / kind for kind in ("probabilities", "maps")} for part in ("test", "val")}
    for part, folders in predicted.items():
        model = {"model": inputs.parent / "model.safetensors", "part": part, "cost": tmp_path / part / "cost.json"}
        run_script("predict_images", fold | how | model | folders, monkeypatch)
    # In the test image's disc about (24, 20) the maps rise to the right and downwards.
    maps = np.load(predicted["test"]["maps"] / "image_0.npy").astype(int)
    assert maps[17:32, 21:29, 0].mean() > maps[17:32, 12:20, 0].mean() + 25
    assert maps[25:33, 13:28, 1].mean() > maps[16:24, 13:28, 1].mean() + 25

    settings = tmp_path / "postprocess.json"
    tried = {"option": ["kernel_px=21"], "tried": ["foreground=[0.35, 0.5]", "edge=[0.4, 0.9]", "min_area_px=[20]"]}
    method = {"method": "hover", "dataset": inputs / "dataset.json", "settings": settings}
    tuning = tried | {"min-area-px": 0, "metric": "pq", "table": tmp_path / "tried.csv"}
    run_script("tune_postprocess", method | tuning | fold | predicted["val"], monkeypatch)
    chosen = json.loads(settings.read_text())
    assert (chosen["tuned"], chosen["images"], chosen["options"]["kernel_px"]) == (True, 1, 21)
    assert chosen["score"] > 0.3

    outputs = {"regions": tmp_path / "regions", "nuclei": tmp_path / "nuclei", "nuclei-table": tmp_path / "nuclei.csv"}
    off = dict.fromkeys(("kernel-size", "opening", "closing", "hole-area", "min-region-area"), 0)
    regions = {"index": inputs / "index.csv", "kernel": "none", "unit": "px"} | off
    run_script("postprocess_images", method | regions | outputs | predicted["test"], monkeypatch)
    nuclei = read_instances(tmp_path / "nuclei" / "image_0.png")
    with (tmp_path / "nuclei.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == nuclei.max() >= 1
    rows, columns = np.mgrid[:SIZE, :SIZE]
    disc = (rows - 24) ** 2 + (columns - 20) ** 2 < 100
    assert disc[nuclei > 0].mean() > 0.5
    assert (nuclei > 0)[disc].mean() > 0.5
