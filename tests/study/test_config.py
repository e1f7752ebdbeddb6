"""A bad config is refused before anything runs: every problem with file, line, value, expectation and cure."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from histoloom.study.check import complaint, config_problems, merge
from histoloom.study.text import read_config_text

REPOSITORY = Path(__file__).parents[2]
BASE = REPOSITORY / "config" / "config.yaml"


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A function that lays `text` over the default config, whose data folders are there, and gives the problems."""
    monkeypatch.chdir(tmp_path)
    for dataset in yaml.safe_load(BASE.read_text())["datasets"].values():
        Path(dataset["root"]).mkdir(parents=True)

    def problems(text, overrides=None):
        Path("study.yaml").write_text(text)
        return config_problems([BASE, Path("study.yaml")], overrides or {})

    return problems


def test_the_demo_and_an_empty_override_are_sound(study):
    assert study("report: {examples: 2}\n") == []


def test_the_real_samples_study_is_sound_where_its_data_is(study):
    samples = "study: {samples: samples}\n"
    Path("samples/brecahad").mkdir(parents=True)
    Path("data/real_samples/pannuke").mkdir(parents=True)
    real = REPOSITORY / "config" / "studies" / "real_samples.yaml"
    Path("place.yaml").write_text(samples)
    assert config_problems([BASE, real, Path("place.yaml")], {}) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "train:\n  epochs: 3\n  epochs: 4\n",
            "study.yaml:3: train.epochs: stands twice, first in line 2; expected once",
        ),
        (
            "train:\n  learning_rate: 1e-3\n",
            "study.yaml:2: train.learning_rate: 1e-3 is text to YAML; expected a number",
        ),
        ("train: {learning_rate: 2.5E4}\n", "study.yaml:1: train.learning_rate: 2.5E4 .* write 2.5e\\+4"),
        ("train:\n  flip: yes\n", "study.yaml:2: train.flip: yes is true to YAML; .* write true or 'yes'"),
        (
            "train:\n  lerning_rate: 0.1\n",
            "study.yaml:2: train.lerning_rate: unknown key; did you mean 'learning_rate'",
        ),
        ("trian: {}\n", "study.yaml:1: trian: unknown key; did you mean 'train'"),
        ("train:\n  epochs: many\n", "study.yaml:2: train.epochs: 'many'; expected a whole number, at least 1"),
        ("train: {epochs: 0}\n", "study.yaml:1: train.epochs: 0; expected at least 1"),
        ("train: {schedule: cosin}\n", "train.schedule: cosin; expected constant or cosine; did you mean 'cosine'"),
        ("predict: {overlap: 2}\n", "predict.overlap: 2; expected 1 or 4 or 9 or 16"),
        ("datasets: {demo_breast: {split: {fold_count: 2}}}\n", "demo_breast.split.fold_count: 2; expected 3 or more"),
        ("tiles: {tile_px: 100}\n", "tiles.tile_px: 100; expected a multiple of 32"),
        (
            "datasets: {demo_breast: {tiles: {stride_px: 300}}}\n",
            "demo_breast.tiles.stride_px: 300; expected at most tile_px \\(128\\)",
        ),
        ("train: {batch_size: 8, processes: 3}\n", "train.batch_size: 8; expected a multiple of processes \\(3\\)"),
        (
            "study: {datasets: [demo_brest]}\n",
            r"study.datasets\[0\]: 'demo_brest' is not .* did you mean 'demo_breast'",
        ),
        ("study: {architectures: [unet_smal]}\n", r"architectures\[0\]: 'unet_smal' .* did you mean 'unet_small'"),
        ("study: {baselines: [all_backgrund]}\n", r"baselines\[0\]: 'all_backgrund' .* did you mean 'all_background'"),
        ("datasets: {demo_breast: {reader: brecahd}}\n", "demo_breast.reader: 'brecahd' .* did you mean 'brecahad'"),
        ("architectures: {unet: {network: unett}}\n", "architectures.unet.network: 'unett' .* did you mean 'unet'"),
        (
            "datasets: {demo_breast: {options: {radius: 3}}}\n",
            "unknown option of reader brecahad; did you mean 'radius_px'",
        ),
        ("architectures: {unet: {options: {widht: 3}}}\n", "unknown option of network unet; did you mean 'width'"),
        ("architectures: {unet_small: {options: {width: 3}}}\n", "unknown option of network unet_small; it has none"),
        ("train: {loss: 2*bce + dise}\n", "train.loss: 'dise' is no file .* did you mean 'dice'"),
        ("train: {loss: bce - dice}\n", 'train.loss: "bce - dice" is no sum of losses'),
        ("train: {select_metric: dise}\n", "train.select_metric: 'dise' .* did you mean 'dice'"),
        ("evaluate: {metrics: [dice, mdice]}\n", r"evaluate.metrics\[1\]: 'mdice' .* did you mean 'dice'"),
        ("report: {headline_metric: ece}\n", "headline_metric: 'ece'; expected one of evaluate.metrics"),
        ("datasets: {Mine!: {reader: pannuke, root: x}}\n", "datasets.Mine!: expected a name of small .* write mine_"),
        ("architectures: {figures: {network: unet}}\n", "architectures.figures: is the name of a folder or baseline"),
        ("architectures: {all_background: {network: unet}}\n", "all_background: is the name of a folder or baseline"),
        ("datasets: {report: {reader: pannuke, root: x}}\n", "datasets.report: is the name of a folder or baseline"),
        ("pairs: {demo_breast/none: {}}\n", 'pairs.demo_breast/none: names no pair; expected "dataset/architecture"'),
        ("datasets: {mine: {reader: pannuke}}\n", "study.yaml:1: datasets.mine: has no 'root'; expected one; add it"),
        (
            "datasets: {demo_breast: {root: data/no}}\n",
            "no folder data/no; expected the raw data; to get it: make demo-data",
        ),
        ("datasets: {demo_breast: {root: '{samples}/b'}}\n", "has {samples}, but study.samples is not set"),
        ("study: {datasets: [demo_breast, demo_breast]}\n", "study.datasets: .* expected every entry once"),
        ("train:\n  epochs: 3\n bad: [\n", "study.yaml:3: is not YAML"),
        ("just words\n", "study.yaml:1: holds no sections"),
    ],
)
def test_a_problem_is_told_with_place_value_and_expectation(study, text, message):
    problems = study(text)
    assert len(problems) == 1, problems
    assert re.search(message, problems[0])
    assert "\n" not in problems[0]


def test_a_missing_file_is_named(tmp_path):
    assert "no such file" in config_problems([tmp_path / "none.yaml"], {})[0]


def test_all_problems_are_listed_together_in_the_order_of_their_lines(study):
    text = "train:\n  flip: yes\n  epochs: 0\n  loss: dise\n  lr: 1\nstudy: {datasets: [x]}\n"
    lines = [problem.split(":")[1] for problem in study(text)]
    assert lines == ["2", "3", "4", "5", "6"]


def test_values_from_the_command_line_are_checked_too(study):
    [problem] = study("pairs: {}\n", {"train": {"epochs": "-1"}})
    assert problem == "--config: train.epochs: '-1'; expected a whole number, at least 1"


def test_a_stronger_sections_value_is_blamed_where_it_stands(study):
    text = "train: {processes: 2}\npairs:\n  demo_breast/unet_small:\n    train: {batch_size: 3}\n"
    [problem] = study(text)
    assert problem.startswith("study.yaml:4: pairs.demo_breast/unet_small.train.batch_size: 3; expected a multiple of")


def test_a_page_shows_fifteen_problems_and_counts_the_rest(study):
    text = "train: {" + ", ".join(f"k{number}: 1" for number in range(20)) + "}\n"
    Path("study.yaml").write_text(text)
    page = complaint([BASE, Path("study.yaml")], {}).splitlines()
    assert page[0] == "error: the config has 20 problems; nothing was run"
    assert len(page) == 17
    assert page[-1] == "... and 5 more"


def test_merging_replaces_lists_and_keeps_other_keys():
    base = {"study": {"datasets": ["a", "b"], "seed": 1}}
    merge(base, {"study": {"datasets": ["c"]}})
    assert base == {"study": {"datasets": ["c"], "seed": 1}}


def test_every_value_of_the_default_config_has_a_comment():
    text = read_config_text(BASE)
    catalogue = ("datasets", "architectures", "pairs")
    source = BASE.read_text().splitlines()
    bare = [
        key
        for key, line in text.lines.items()
        if len(key) == 2 and key[0] not in catalogue and "#" not in source[line - 1]
    ]
    assert bare == []


def test_training_settings_config_and_schema_name_the_same_keys():
    from dataclasses import fields

    from histoloom.study.study import RUN_KEYS
    from histoloom.train.settings import TrainSettings

    config = yaml.safe_load(BASE.read_text())
    schema = yaml.safe_load((REPOSITORY / "workflow/schemas/config.schema.yaml").read_text())
    for section in ("inspect", "split", "tiles", "train", "predict", "evaluate"):
        assert set(config[section]) == set(schema["$defs"][section]["properties"])
        assert set(config[section]) == set(schema["properties"][section]["required"])
    settings = {field.name for field in fields(TrainSettings)}
    assert settings | set(RUN_KEYS) == set(config["train"]) | {"seed"}


def test_the_snakefiles_imports_load_neither_torch_nor_numpy():
    code = "import sys, histoloom.study.check, histoloom.study.study; print(*({'torch', 'numpy'} & set(sys.modules)))"
    scripts = REPOSITORY / "scripts"
    ended = subprocess.run([sys.executable, "-c", code], cwd=scripts, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []
