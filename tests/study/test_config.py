"""A bad config is refused before anything runs: every problem with file, line, value, expectation and cure."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from histoloom.study.checks.complaint import complaint, config_problems
from histoloom.study.text import read_config_text

REPOSITORY = Path(__file__).parents[2]
BASE = REPOSITORY / "config" / "config.yaml"


BREAST = "datasets: {demo_breast: {reader: brecahad, root: ., "


def test_the_demo_and_an_empty_override_are_sound(study):
    assert study("report: {examples: 2}\n") == []


def test_the_real_samples_study_is_sound_where_its_data_is(study):
    samples = "study: {samples: samples}\n"
    for folder in ("brecahad", "monuseg", "hou2020", "cryonuseg", "necrosis/composites", "slides"):
        (Path("samples") / folder).mkdir(parents=True)
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
        (
            "train: {schedule: cosin}\n",
            "train.schedule: 'cosin' is no file in scripts/histoloom/schedules; did you mean 'cosine'",
        ),
        ("predict: {overlap: 2}\n", "predict.overlap: 2; expected 1 or 4 or 9 or 16"),
        (
            "datasets: {demo_breast: {reader: brecahad, root: ., split: {fold_count: 2}}}\n",
            "demo_breast.split.fold_count: 2; expected 3 or more",
        ),
        ("tiles: {tile_px: 100}\n", "tiles.tile_px: 100; expected a multiple of 32"),
        (
            "datasets: {demo_breast: {reader: brecahad, root: ., tiles: {tile_px: 128, stride_px: 300}}}\n",
            "demo_breast.tiles.stride_px: 300; expected at most tile_px \\(128\\)",
        ),
        (
            "train: {batch_size: 8, processes_per_node: 3}\n",
            "train.batch_size: 8; expected a multiple of the processes",
        ),
        (
            "study: {datasets: [demo_brest]}\n",
            r"study.datasets\[0\]: 'demo_brest' is not .* did you mean 'demo_breast'",
        ),
        ("study: {architectures: [unet_smal]}\n", r"architectures\[0\]: 'unet_smal' .* did you mean 'unet_small'"),
        ("study: {baselines: [all_backgrund]}\n", r"baselines\[0\]: 'all_backgrund' .* did you mean 'all_background'"),
        (
            "datasets: {demo_breast: {reader: brecahd, root: .}}\n",
            "demo_breast.reader: 'brecahd' .* did you mean 'brecahad'",
        ),
        ("architectures: {unet: {network: unett}}\n", "architectures.unet.network: 'unett' .* did you mean 'unet'"),
        (
            "datasets: {demo_breast: {reader: brecahad, root: ., options: {radius: 3}}}\n",
            "unknown option of reader brecahad; did you mean 'radius_px'",
        ),
        (
            "architectures: {unet: {network: unet, options: {widht: 3}}}\n",
            "unknown option of network unet; did you mean 'width'",
        ),
        (
            "architectures: {unet_small: {network: unet_small, options: {width: 3}}}\n",
            "unknown option of network unet_small; it has none",
        ),
        ("train: {loss: 2*bce + dise}\n", "train.loss: 'dise' is no file .* did you mean 'dice'"),
        ("train: {loss: bce - dice}\n", 'train.loss: "bce - dice" is no sum of losses'),
        ("train: {select_metric: dise}\n", "train.select_metric: 'dise' .* did you mean 'dice'"),
        ("evaluate: {metrics: [dice, mdice]}\n", r"evaluate.metrics\[1\]: 'mdice' .* did you mean 'dice'"),
        ("report: {headline_metric: mcc}\n", "headline_metric: 'mcc'; expected one of evaluate.metrics"),
        ("report: {headline_metric: ece}\n", "headline_metric: 'ece'; expected a metric of which more is better"),
        ("predict: {tune_metric: count_error}\n", "'count_error'; expected a metric of which more is better"),
        ("datasets: {Mine!: {reader: pannuke, root: x}}\n", "datasets.Mine!: expected a name of small .* write mine_"),
        ("architectures: {figures: {network: unet}}\n", "architectures.figures: is the name of a folder or baseline"),
        ("architectures: {all_background: {network: unet}}\n", "all_background: is the name of a folder or baseline"),
        ("datasets: {report: {reader: pannuke, root: x}}\n", "datasets.report: is the name of a folder or baseline"),
        ("pairs: {demo_breast/none: {}}\n", 'pairs.demo_breast/none: names no pair; expected "dataset/architecture"'),
        ("datasets: {mine: {reader: pannuke}}\n", "study.yaml:1: datasets.mine: has no 'root'; expected one; add it"),
        (
            "datasets: {demo_breast: {reader: brecahad, root: data/no, obtain: make it}}\n",
            "no folder data/no; expected the raw data; to get it: make it",
        ),
        (
            "datasets: {demo_breast: {reader: brecahad, root: '{samples}/b'}}\n",
            "has {samples}, but study.samples is not set",
        ),
        ("architectures: {unet: {options: {}}}\n", "study.yaml:1: architectures.unet: has no 'network'; expected one"),
        (
            "train:\n  select_metric: pq\n",
            "study.yaml:2: train.select_metric: 'pq' counts other things; expected a metric of pixels; choose",
        ),
        (
            "predict:\n  overlap: 9\n",
            r"study.yaml:2: predict.overlap: 9; expected one whose square root divides tile_px \(128\); .* such as 96",
        ),
        (
            "split: {scheme: official}\n" + BREAST + "split: {fold_count: 5}}}\n",
            "split.fold_count: 5; expected at most 3 with scheme official; lower it, or set scheme: grouped",
        ),
        ("train:\n  epochs: 10.0\n", "study.yaml:2: train.epochs: 10.0; expected a whole number, at least 1; write 10"),
        ("predict: {overlap: 4.0}\n", "study.yaml:1: predict.overlap: 4.0; expected a whole number; write 4"),
        ("augment: {scale: .inf}\n", "study.yaml:1: augment.scale: inf; expected a finite number, at least 0"),
        ("train: {learning_rate: .nan}\n", "train.learning_rate: nan; expected a finite number, more than 0"),
        ("report: {hold_seconds: 1.0e+999}\n", "report.hold_seconds: inf; expected a finite number"),
        ("train:\n", "study.yaml:1: train: None; expected keys with values; give one or remove the key"),
        (
            "study: {name: 2023}\n",
            "study.yaml:1: study.name: 2023; expected a text, at least 1 .* write '2023' in quotes",
        ),
        (
            BREAST + "\n  options: {radius_px: big}}}\n",
            "study.yaml:2: .*options.radius_px: 'big'; expected a whole number or a finite number; give one",
        ),
        (BREAST + "options: {radius_px: .nan}}}\n", "radius_px: nan; expected a whole number or a finite number"),
        (BREAST + "options: {radius_px: true}}}\n", "radius_px: True; expected a whole number or a finite number"),
        (BREAST + "options: {points: tumor}}}\n", r"points: 'tumor'; expected a list such as \[a, b\] of texts"),
        (BREAST + "options: {points: [tumor, 3]}}}\n", r"points: \['tumor', 3\]; expected a list .* of texts"),
        (BREAST + "options: {note: }}}\n", "note: None; expected a text"),
        (BREAST + "options: {note: 5}}}\n", "note: 5; expected a text; write '5'"),
        (
            BREAST + "\n  options: {citation: 2020-01-01}}}\n",
            "study.yaml:2: .*citation: 2020-01-01 is a date to YAML; expected a text; write '2020-01-01' in quotes",
        ),
        (
            "architectures:\n  u: {network: unet, options: {width: wide}}\n",
            "study.yaml:2: .*width: 'wide'; expected a who",
        ),
        ("architectures: {u: {network: unet, options: {width: 8.0}}}\n", "options.width: 8.0; expected a whole number"),
        (
            "datasets:\n  2023: {reader: brecahad, root: .}\n",
            "study.yaml:2: datasets.2023: this key is a number to YAML",
        ),
        (
            "pairs:\n  5: {}\n",
            "study.yaml:2: pairs.5: this key is a number to YAML; expected a text; write '5' in quotes",
        ),
        ("train: {on: 3}\n", "study.yaml:1: train.on: this key is true or false to YAML; expected a text"),
        ("train: {null: 3}\n", "study.yaml:1: train.null: this key is null to YAML; expected a text"),
        ("train: {epochs: 2020-13-45}\n", "study.yaml: is not YAML"),
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


def test_an_empty_file_hides_no_problem_of_another(study):
    Path("empty.yaml").write_text("{}\n")
    Path("study.yaml").write_text("train: {epochs: 0}\n")
    assert len(config_problems([BASE, Path("study.yaml"), Path("empty.yaml")], {})) == 1


def test_options_of_the_right_kind_are_sound(study):
    assert study(BREAST + "options: {radius_px: 9.5, points: [tumor], note: '2020-01-01'}}}\n") == []


def test_the_study_in_the_readme_is_sound(study):
    text = re.search(
        r"`config/studies/mine.yaml`:\n\n```yaml\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL
    )
    assert study(re.sub("root: /data/.*", "root: .", text[1])) == []


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
    text = "train: {processes_per_node: 2}\npairs:\n  demo_breast/unet_small:\n    train: {batch_size: 3}\n"
    [problem] = study(text)
    assert problem.startswith("study.yaml:4: pairs.demo_breast/unet_small.train.batch_size: 3; expected a multiple of")


def test_a_page_shows_fifteen_problems_and_counts_the_rest(study):
    text = "train: {" + ", ".join(f"k{number}: 1" for number in range(20)) + "}\n"
    Path("study.yaml").write_text(text)
    page = complaint([BASE, Path("study.yaml")], {}).splitlines()
    assert page[0] == "error: the config has 20 problems; nothing was run"
    assert len(page) == 17
    assert page[-1] == "... and 5 more"


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

    from histoloom.study.stages.train import RUN_KEYS
    from histoloom.train.settings import TrainSettings

    config = yaml.safe_load(BASE.read_text())
    schema = yaml.safe_load((REPOSITORY / "workflow/schemas/config.schema.yaml").read_text())
    for section in ("inspect", "split", "tiles", "train", "predict", "evaluate"):
        assert set(config[section]) == set(schema["$defs"][section]["properties"])
        assert set(config[section]) == set(schema["properties"][section]["required"])
    settings = {field.name for field in fields(TrainSettings)}
    assert settings | set(RUN_KEYS) == set(config["train"]) | {"seed", "pseudo_weight"}  # study.seed, rounds.weight


def test_the_snakefiles_imports_load_neither_torch_nor_numpy():
    modules = "histoloom.study.checks.complaint, histoloom.study.study"
    code = f"import sys, {modules}; print(*({{'torch', 'numpy'}} & set(sys.modules)))"
    scripts = REPOSITORY / "scripts"
    ended = subprocess.run([sys.executable, "-c", code], cwd=scripts, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == []
