"""How files and the command line make one config: sections merge, entries of catalogues are replaced whole."""

from pathlib import Path

import yaml

from histoloom.study.merging import merged, read_config

BASE = Path(__file__).parents[2] / "config" / "config.yaml"
BREAST = "datasets: {demo_breast: {reader: brecahad, root: ., "


def test_a_catalogues_entry_replaces_the_defaults_whole_and_sections_merge(study):
    text = BREAST + "tiles: {tile_px: 64, stride_px: 64}}}\narchitectures: {unet_narrow: {network: unet}}\n"
    assert study(text + "train: {epochs: 7}\n") == []
    config, default = read_config([BASE, "study.yaml"], {}), yaml.safe_load(BASE.read_text())
    assert config["architectures"]["unet_narrow"] == {"network": "unet"}
    assert config["datasets"]["demo_breast"] == {
        "reader": "brecahad",
        "root": ".",
        "tiles": {"tile_px": 64, "stride_px": 64},
    }
    assert config["datasets"]["demo_nuclei"] == default["datasets"]["demo_nuclei"]
    assert config["train"] == {**default["train"], "epochs": 7}


def test_the_command_line_changes_single_values_of_an_entry(study):
    assert study("train: {epochs: 7}\n", {"datasets": {"demo_breast": {"root": "."}}}) == []
    config = read_config([BASE, "study.yaml"], {"datasets": {"demo_breast": {"root": "."}}})
    assert config["datasets"]["demo_breast"]["reader"] == "brecahad"
    assert config["datasets"]["demo_breast"]["root"] == "."


def test_a_later_files_pair_replaces_an_earlier_ones():
    layers = [{"pairs": {"a/b": {"train": {"epochs": 1}}}}, {"pairs": {"a/b": {"predict": {}}, "c/d": {}}}]
    assert merged(layers, {}) == {"pairs": {"a/b": {"predict": {}}, "c/d": {}}}
    assert layers[0] == {"pairs": {"a/b": {"train": {"epochs": 1}}}}


def test_merging_replaces_lists_and_keeps_other_keys():
    layers = [{"study": {"datasets": ["a", "b"], "seed": 1}}, {"study": {"datasets": ["c"]}}]
    assert merged(layers, {}) == {"study": {"datasets": ["c"], "seed": 1}}
