"""The five studies, their small variants and the animation's: each passes the check of configs and can be planned."""

import re
from pathlib import Path

import pytest

from histoloom.study.checks.complaint import config_problems
from histoloom.study.merging import read_config
from histoloom.study.sections import raw_folder

REPOSITORY = Path(__file__).parents[2]
STUDIES = REPOSITORY / "config" / "studies"
BASE = REPOSITORY / "config" / "config.yaml"
NAMES = ("necrosis", "hnscc", "brecahad", "cryonuseg", "pannuke")
WHOLE = {name: [f"{name}.yaml"] for name in NAMES}
SMALL = {f"small {name}": [f"{name}.yaml", f"small/{name}.yaml"] for name in NAMES}
GIF = ["hnscc.yaml", "hnscc_gif.yaml"]
LAYERS = WHOLE | {"hnscc gif": GIF} | SMALL | {"small hnscc gif": [*GIF, "small/hnscc_gif.yaml"]}
# What the issue asks of each study's networks, word for word; small variants train the same.
NETWORKS = {
    "necrosis": {"deeplabv3_resnet50"},
    "hnscc": {"unet_efficientnet_b0"},
    "brecahad": {"unet"},
    "cryonuseg": {"unet_small", "unet"},
    "pannuke": {"deeplabv3_resnet101", "unet", "inception_unet", "refinenet", "unet_small"},
}


def config_of(layers):
    return read_config([BASE, *(STUDIES / layer for layer in layers)], {})


def lay_data(folder, config):
    """Make the folders and the slides that a config names, empty but for one file that can be digested."""
    for dataset in config["study"]["datasets"]:
        root = folder / raw_folder(config, dataset)
        root.mkdir(parents=True, exist_ok=True)
        (root / "some.txt").write_text("raw data\n")
    for pattern in config["slides"]["files"]:
        slide = folder / pattern.replace("*", "slide")
        slide.parent.mkdir(parents=True, exist_ok=True)
        slide.write_bytes(b"")


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS.keys())
def test_a_study_is_sound_where_its_data_is(layers, tmp_path, monkeypatch):
    inside = tmp_path / "checkout"
    inside.mkdir()
    lay_data(inside, config_of(layers))
    monkeypatch.chdir(inside)
    assert config_problems([BASE, *(STUDIES / layer for layer in layers)], {}) == []


@pytest.mark.parametrize("layers", WHOLE.values(), ids=WHOLE.keys())
def test_a_study_whose_data_is_missing_says_how_to_get_it(layers, tmp_path, monkeypatch):
    config = config_of(layers)
    monkeypatch.chdir(tmp_path)
    found = config_problems([BASE, *(STUDIES / layer for layer in layers)], {})
    downloads = [name for name in config["study"]["datasets"] if "files" in config["datasets"][name].get("source", {})]
    missing = [problem for problem in found if ".root: no folder" in problem]
    assert len(missing) == len(config["study"]["datasets"]) - len(downloads)
    for problem in missing:
        page = re.search(r"to get it: (docs/studies/\w+\.md)", problem)
        assert page and (REPOSITORY / page[1]).is_file(), problem


@pytest.mark.parametrize("name", NAMES)
def test_the_small_variant_trains_the_same_networks_with_the_same_loss(name):
    whole, small = config_of(WHOLE[name]), config_of(SMALL[f"small {name}"])
    networks = [
        {config["architectures"][entry]["network"] for entry in config["study"]["architectures"]}
        for config in (whole, small)
    ]
    assert networks[0] >= networks[1] >= NETWORKS[name]
    for key in ("loss", "optimiser", "schedule", "select_metric", "standardise", "processes_per_node"):
        assert small["train"][key] == whole["train"][key], key
    assert set(small["evaluate"]["metrics"]) == set(whole["evaluate"]["metrics"])


def test_studies_that_run_beside_each_other_share_no_folder_of_results():
    datasets = [
        (tuple(layers), dataset) for layers in LAYERS.values() for dataset in config_of(layers)["study"]["datasets"]
    ]
    assert len({dataset for _, dataset in datasets}) == len(datasets)
