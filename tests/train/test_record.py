"""The identity of a training: what makes it another one."""

import argparse
from dataclasses import replace

import torch

from histoloom.train.distributed import Ranks
from histoloom.train.record import fingerprint
from tests.train.data.test_batches import augmentation, settings
from tests.train.training_case import make_case

ALONE = Ranks(0, 1, torch.device("cpu"))


def arguments(folder, **changes) -> argparse.Namespace:
    inputs = folder / "inputs"
    files = {
        name: inputs / f"{name}.{'npy' if name in ('images', 'masks', 'instances') else 'csv'}"
        for name in ("images", "masks", "instances", "windows", "folds")
    }
    values = {
        **files, "image_table": inputs / "images.csv", "dataset": inputs / "dataset.json", "colours": [], "weights": [],
        "network": "unet", "option": [("width", 2)], "fold": 0, "tile_px": 32, "downsample": 1, "code": "c",
        "threads_per_process": 1,
    }  # fmt: skip
    return argparse.Namespace(**{**values, **changes})


def identity(folder, chosen=None, varied=None, **changes) -> str:
    return fingerprint(
        arguments(folder, **changes), chosen or settings(), varied or augmentation(), ALONE, torch.float32
    )


def test_settings_augmentation_options_code_and_threads_make_another_training(tmp_path):
    folder = make_case(tmp_path / "case").folder
    others = [
        identity(folder, replace(settings(), clip_norm=1.0)),
        identity(folder, varied=replace(augmentation(), noise=4.0)),
        identity(folder, option=[("width", 4)]),
        identity(folder, code="d"),
        identity(folder, threads_per_process=2),
    ]
    assert len({identity(folder), *others}) == 6
    assert identity(folder) == identity(folder)


def test_weights_to_start_from_count_by_their_bytes(tmp_path):
    folder, weights = make_case(tmp_path / "case").folder, tmp_path / "encoder.safetensors"
    weights.write_bytes(b"one")
    first = identity(folder, weights=[weights])
    weights.write_bytes(b"two")
    assert first != identity(folder, weights=[weights])


def test_a_changed_file_of_a_network_named_by_its_path_makes_another_training(tmp_path, monkeypatch):
    folder, lab = make_case(tmp_path / "case").folder, tmp_path / "lab_nets.py"
    monkeypatch.syspath_prepend(tmp_path)
    lab.write_text("class Net: pass\n")
    option = [("path", "lab_nets.Net")]
    first = identity(folder, network="any_network", option=option)
    assert first == identity(folder, network="any_network", option=option)
    lab.write_text("class Net: depth = 3\n")
    assert first != identity(folder, network="any_network", option=option)
    # What cannot be found is told where it is built.
    assert identity(folder, network="any_network", option=[("path", "nowhere.nets.Net")])
