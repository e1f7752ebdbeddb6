"""What jobs ask a cluster for: growth by attempt, who overrides whom, which rules ask for GPUs, that all rules ask."""

import contextlib
import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from snakemake.api import SnakemakeApi
from snakemake.settings.enums import Quietness
from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings

from histoloom.study.resources import STAGES, Resources
from histoloom.study.stages.report import Report
from tests.study.conftest import BASE
from tests.study.test_snakemake import REPOSITORY, copy_workflow

GPU_RULES = {
    *("tune", "train", "train_round", "train_part"),
    *("predict", "predict_validation", "predict_overlap", "predict_part", "predict_slide"),
}
FOLD = SimpleNamespace(dataset="a", architecture="unet", fold="0")
OTHER = SimpleNamespace(dataset="b", architecture="unet", fold="0")
SLIDE = SimpleNamespace(slide="s1")


def config(**values):
    """A config of two datasets and one architecture whose stages ask for little, with `values` laid upon it."""
    job = {"cores": 2, "memory_mb": 1000, "minutes": 10, "gpus": 1}
    plain = {
        "resources": {"growth": 1.5, **{stage: dict(job) for stage in STAGES}},
        "datasets": {"a": {}, "b": {}},
        "architectures": {"unet": {}},
        "pairs": {},
        "train": {"nodes": 1, "processes_per_node": 1, "threads_per_process": 3},
    }
    return plain | values


@pytest.fixture(scope="module")
def workflow(tmp_path_factory):
    """The real workflow as Snakemake reads it, of the default config."""
    folder = copy_workflow(tmp_path_factory.mktemp("clone"))
    for dataset in yaml.safe_load(BASE.read_text())["datasets"].values():
        (folder / dataset["root"]).mkdir(parents=True)
    quiet = OutputSettings(quiet={Quietness.ALL}, enable_file_logging=False)
    with contextlib.chdir(folder), SnakemakeApi(quiet) as api:
        settings = {"resource_settings": ResourceSettings(cores=2), "config_settings": ConfigSettings()}
        yield api.workflow(snakefile=Path("Snakefile"), **settings)._workflow


@pytest.fixture(scope="module")
def rules(workflow):
    """Those of its rules that a cluster would run, by name."""
    return {rule.name: rule for rule in workflow.rules if not rule.norun and rule.name not in workflow._localrules}


def test_memory_and_minutes_grow_at_each_retry_and_cores_do_not():
    stage = Resources(config()).predict
    # 1000 * 1.5 = 1500, 1500 * 1.5 = 2250; 10 * 1.5 = 15, 15 * 1.5 = 22.5, of which a whole minute is asked for
    assert [stage.memory_mb(FOLD, attempt) for attempt in (1, 2, 3)] == [1000, 1500, 2250]
    assert [stage.minutes(FOLD, attempt) for attempt in (1, 2, 3)] == [10, 15, 23]
    assert stage.cores(FOLD) == 2


def test_the_stronger_section_wins_value_by_value():
    values = config(
        datasets={"a": {"resources": {"predict": {"memory_mb": 2000, "minutes": 20}}}, "b": {}},
        architectures={"unet": {"resources": {"predict": {"minutes": 30}}}},
        pairs={"a/unet": {"resources": {"predict": {"cores": 5}}}},
    )
    stage = Resources(values).predict
    assert (stage.memory_mb(FOLD, 1), stage.minutes(FOLD, 1), stage.cores(FOLD)) == (2000, 30, 5)
    assert (stage.memory_mb(OTHER, 1), stage.minutes(OTHER, 1), stage.cores(OTHER)) == (1000, 30, 2)
    assert Resources(values).evaluate.memory_mb(FOLD, 1) == 1000


def test_rules_without_dataset_or_architecture_take_what_the_section_says():
    stage = Resources(config(datasets={"a": {"resources": {"slides": {"minutes": 99}}}})).slides
    assert stage.minutes(SLIDE, 1) == 10
    assert stage.minutes(SimpleNamespace(dataset="a", baseline="all_background"), 1) == 99


def test_training_asks_for_cores_memory_and_gpus_of_each_process_of_a_node():
    train = {"nodes": 3, "processes_per_node": 4, "threads_per_process": 3}
    stage = Resources(config(train=train)).train
    assert (stage.cores(FOLD), stage.memory_mb(FOLD, 1), stage.gres(FOLD)) == (8, 4000, "gpu:4")
    assert stage.minutes(FOLD, 1) == 10


def test_training_without_stated_cores_asks_for_a_core_for_each_thread():
    values = config(train={"nodes": 3, "processes_per_node": 4, "threads_per_process": 3})
    values["resources"]["train"]["cores"] = 0
    assert Resources(values).train.cores(FOLD) == 12


def test_no_gpus_are_asked_for_where_the_config_says_0():
    values = config(architectures={"unet": {"resources": {"train": {"gpus": 0}}}})
    assert Resources(values).train.gres(FOLD) is None
    assert Resources(values).predict.gres(FOLD) == "gpu:1"


def test_the_record_of_a_study_does_not_hang_on_what_a_cluster_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    plain = yaml.safe_load(BASE.read_text())
    plain["study"]["datasets"] = ["demo_breast"]
    plain["datasets"] = {"demo_breast": {"reader": "brecahad", "root": "raw"}}
    plain["pairs"] = {"demo_breast/unet": {"train": {"epochs": 3}}}
    other = json.loads(json.dumps(plain))
    more = {"train": {"minutes": 5}}
    other["resources"]["growth"] = 3
    for kind, name in (("datasets", "demo_breast"), ("architectures", "unet_small"), ("pairs", "demo_breast/unet")):
        other[kind][name]["resources"] = more
    assert Report(other).recorded(None) == Report(plain).recorded(None)
    assert json.loads(Report(plain).recorded(None))["pairs"] == plain["pairs"]


def test_every_rule_that_a_cluster_runs_asks_for_memory_and_time(rules):
    assert len(rules) > 30
    missing = {name: {"mem_mb", "runtime"} - set(rule.resources) for name, rule in rules.items()}
    assert {name: keys for name, keys in missing.items() if keys} == {}
    plain = [name for name, rule in rules.items() if not rule.resources["_cores"].is_evaluable()]
    assert plain == []


def test_training_and_prediction_alone_ask_for_gpus(rules):
    words = ("gres", "gpu", "gpus", "gpu_model", "tasks_per_gpu")
    assert {name for name, rule in rules.items() if set(words) & set(rule.resources)} == GPU_RULES
    assert all({"gres", "tasks_per_gpu"} <= set(rules[name].resources) for name in GPU_RULES)


def test_each_rule_takes_the_values_of_its_files_stage():
    of_report = {"render_epochs", "draw_augmentations", "draw_tuning"}  # they stand beside the training that they show
    of_rounds = {"accept_pixels": "predict", "tiles_of_round": "split"}  # rounds train and predict: they have no stage
    for file in (REPOSITORY / "workflow" / "rules").glob("*.smk"):
        for block in re.split(r"^rule ", file.read_text(), flags=re.MULTILINE)[1:]:
            name = block.partition(":")[0]
            stage = "report" if name in of_report else of_rounds.get(name, file.stem.partition("_")[0])
            assert set(re.findall(r"study\.resources\.(\w+)\.", block)) <= {stage}, name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("resources: {train: {memory: 5}}\n", "resources.train.memory: unknown key; did you mean 'memory_mb'?"),
        ("resources: {evaluate: {gpus: 1}}\n", "resources.evaluate.gpus: unknown key"),
        ("resources: {growth: 0.5}\n", "resources.growth: 0.5; expected at least 1"),
        ("resources: {predict: {cores: 0}}\n", "resources.predict.cores: 0; expected at least 1"),
        ("resources: {predicts: {cores: 1}}\n", "resources.predicts: unknown key; did you mean 'predict'?"),
        ("pairs: {demo_breast/unet: {resources: {prepare: {}}}}\n", "resources.prepare: unknown key"),
    ],
)
def test_a_wrong_value_is_told_with_its_place(study, text, expected):
    [problem] = study(text)
    assert problem.startswith("study.yaml:1: ")
    assert expected in problem
