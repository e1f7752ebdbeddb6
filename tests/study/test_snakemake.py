"""The real Snakefile: what it plans, lints clean, takes profiles, and runs again exactly what a change concerns."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
PARTS = ("Snakefile", "config", "workflow", "scripts", "envs", "profiles", "slurm")
STUDY = {
    "study": {"name": "small", "datasets": ["demo_breast"], "baselines": ["all_background"]},
    "datasets": {
        "demo_breast": {
            "reader": "brecahad",
            "root": "data/raw",
            "options": {"radius_px": 9},
            "tiles": {"tile_px": 128, "stride_px": 128},
            "split": {"fold_count": 2, "validation": "images"},
            "train": {"epochs": 1, "probe_tiles": 1},
        }
    },
    "architectures": {"unet_narrow": {"network": "unet", "options": {"width": 4}}},
}
FOLD = "results/demo_breast/{}/fold0/"
# One fold of each predictor is enough to see every rule that learns or predicts.
TARGETS = (
    *(FOLD.format(name) + "counts.npz" for name in ("unet_small", "unet_narrow", "all_background")),
    *(FOLD.format(name) + "epochs.gif" for name in ("unet_small", "unet_narrow")),
    "results/demo_breast/inspection/findings.csv",
)
INSPECTION = ("find_duplicates", "inspect", "check_headline")
LEARNING = ("train", "render_epochs", "predict", "postprocess", "evaluate")


def copy_workflow(folder):
    """Copy what a clone holds and the workflow needs, links as links."""
    ignored = shutil.ignore_patterns("__pycache__")
    for part in PARTS:
        source = REPOSITORY / part
        if source.is_dir() and not source.is_symlink():
            shutil.copytree(source, folder / part, symlinks=True, ignore=ignored)
        else:
            shutil.copy2(source, folder / part, follow_symlinks=False)
    return folder


def snakemake(folder, *arguments):
    """Run snakemake in `folder` as a user does."""
    command = [sys.executable, "-m", "snakemake", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def planned_jobs(folder, study, targets):
    """(rule, what a dry run tells of the job) of all jobs that it plans."""
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    ended = snakemake(folder, "-n", "--configfile", "study.yaml", "--", *targets)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", ended.stdout + ended.stderr, re.MULTILINE)


def planned(folder, study=STUDY, targets=TARGETS):
    """(rule, architecture) of all jobs that a dry run plans; the architecture is "" for rules without one."""
    jobs = planned_jobs(folder, study, targets)
    return {(rule, "".join(re.findall(r"(?:architecture|baseline)=(\w+)", told))) for rule, told in jobs}


def with_values(**sections):
    """The study with values of some sections set."""
    return {**STUDY, **sections}


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A copy of the workflow with demo folders that hold nothing, for dry runs."""
    folder = copy_workflow(tmp_path_factory.mktemp("clone"))
    for dataset in yaml.safe_load((folder / "config" / "config.yaml").read_text())["datasets"].values():
        (folder / dataset["root"]).mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A copy of the workflow in which TARGETS of a small study have been made, by the real scripts."""
    from histoloom.prepare.demo.datasets import write_brecahad

    folder = copy_workflow(tmp_path_factory.mktemp("finished"))
    write_brecahad(folder / "data" / "raw", 1, 0)
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    ended = snakemake(folder, "--configfile", "study.yaml", "--", *TARGETS)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return folder


def test_the_demo_is_two_datasets_two_architectures_three_folds(clone):
    ended = snakemake(clone, "-n", "--quiet", "rules")
    assert ended.returncode == 0, ended.stderr
    counts = dict(re.findall(r"^(\w+) +(\d+)$", ended.stdout + ended.stderr, re.MULTILINE))
    assert counts["train"] == counts["predict"] == counts["render_epochs"] == "12"
    assert counts["predict_baseline"] == "12"
    assert counts["evaluate"] == "24"
    assert counts["prepare"] == counts["summarise"] == "2"
    assert counts["write_front_page"] == "1"


def test_forty_pairs_in_five_folds_are_planned(clone):
    names = [f"a{number}" for number in range(8)]
    datasets = [f"d{number}" for number in range(5)]
    study = {
        "study": {"datasets": datasets, "architectures": names, "baselines": []},
        "datasets": {name: {"reader": "brecahad", "root": "data"} for name in datasets},
        "architectures": {name: {"network": "unet"} for name in names},
        "split": {"fold_count": 5},
    }
    (clone / "large.yaml").write_text(yaml.safe_dump(study))
    ended = snakemake(clone, "-n", "--quiet", "rules", "--configfile", "large.yaml")
    assert re.search(r"^train +200$", ended.stdout + ended.stderr, re.MULTILINE), ended.stderr


def test_lint_is_clean(clone):
    ended = snakemake(clone, "--lint")
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_slurm_profile_is_found_and_plans_the_same(clone):
    ended = snakemake(clone, "--profile", "slurm", "-n", "--quiet", "rules")
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"^train +12$", ended.stdout + ended.stderr, re.MULTILINE)


def test_a_bad_config_ends_in_one_page_without_traceback(clone):
    (clone / "bad.yaml").write_text("train:\n  lerning_rate: 1.0e-3\n")
    for more in ((), ("--profile", "slurm")):
        ended = snakemake(clone, "-n", "--configfile", "bad.yaml", *more)
        assert ended.returncode == 1
        assert "bad.yaml:2: train.lerning_rate: unknown key; did you mean 'learning_rate'?" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert 'File "' not in ended.stderr


def test_missing_raw_data_is_told_with_the_cure(clone):
    (clone / "gone.yaml").write_text(
        "datasets: {demo_breast: {reader: brecahad, root: data/gone, obtain: make demo-data}}\n"
    )
    ended = snakemake(clone, "-n", "--configfile", "gone.yaml")
    assert "no folder data/gone; expected the raw data; to get it: make demo-data" in ended.stderr


def test_a_finished_study_plans_nothing(finished):
    assert planned(finished) == set()


def test_a_study_that_moved_plans_nothing(finished, tmp_path):
    moved = shutil.copytree(finished, tmp_path / "elsewhere", symlinks=True)
    assert planned(moved) == set()


def test_comments_docstrings_and_new_plug_ins_rerun_nothing(finished, edit):
    edit("scripts/train.py", new="\n# A comment.\n")
    edit("scripts/histoloom/formats/images.py", '"""Reading', '"""Reading, and')
    edit("scripts/histoloom/architectures/mine.py", new="def mine(outputs):\n    return None\n")
    edit("scripts/histoloom/metrics/mine.py", new="def mine(counts):\n    return counts\n")
    edit("workflow/rules/train.smk", new="\n# A comment.\n")
    assert planned(finished) == set()


def test_a_touch_reruns_nothing(finished):
    for folder in ("scripts", "data", "config"):
        for path in (finished / folder).rglob("*"):
            os.utime(path)
    os.utime(finished / "results/demo_breast/prepared/index.csv")
    os.utime(finished / "results/demo_breast/folds.csv")
    assert planned(finished) == set()


def test_how_training_runs_reruns_nothing(finished):
    run = {
        "processes_per_node": 2,
        "threads_per_process": 2,
        "loader_workers": 0,
        "checkpoint_minutes": 1,
        "local_scratch": True,
    }
    assert planned(finished, with_values(train=run)) == set()


def test_what_jobs_ask_a_cluster_for_reruns_nothing(finished):
    asked = {"growth": 2.0} | {stage: {"cores": 2, "memory_mb": 9, "minutes": 9} for stage in ("prepare", "evaluate")}
    asked |= {stage: {"cores": 2, "memory_mb": 9, "minutes": 9, "gpus": 3} for stage in ("train", "predict")}
    own = {"demo_breast": {**STUDY["datasets"]["demo_breast"], "resources": {"split": {"cores": 2, "minutes": 9}}}}
    assert planned(finished, with_values(resources=asked, datasets=own)) == set()


def test_another_order_of_the_configs_lines_reruns_nothing(finished):
    entry = {key: STUDY["datasets"]["demo_breast"][key] for key in reversed(STUDY["datasets"]["demo_breast"])}
    run = {"tiles": {"stride_px": 256, "tile_px": 256, "downsample": 1}, "predict": {"window": "hann", "overlap": 4}}
    assert planned(finished, with_values(datasets={"demo_breast": entry}, **run)) == set()


def test_a_learning_rate_reruns_its_architecture_and_no_other(finished):
    values = {**STUDY["architectures"], "unet_small": {"network": "unet_small", "train": {"learning_rate": 0.5}}}
    assert planned(finished, with_values(architectures=values)) == {(rule, "unet_small") for rule in LEARNING}


def test_an_architectures_file_reruns_what_uses_it(finished, edit):
    edit("scripts/histoloom/architectures/unet_small.py", new="\n\nEXTRA = 1\n")
    assert planned(finished) == {(rule, "unet_small") for rule in LEARNING}


def test_a_loss_that_is_not_used_reruns_nothing(finished, edit):
    edit("scripts/histoloom/losses/iou.py", new="\n\nEXTRA = 1\n")
    assert planned(finished) == set()


def test_a_module_reruns_its_importers_and_what_follows(finished, edit):
    edit("scripts/histoloom/predict/postprocess.py", new="\n\nEXTRA = 1\n")
    predictors = ("unet_small", "unet_narrow", "all_background")
    assert planned(finished) == {(rule, name) for rule in ("postprocess", "evaluate") for name in predictors}


def test_the_training_loops_module_reruns_training_alone_and_what_follows(finished, edit):
    edit("scripts/histoloom/train/training.py", new="\n\nEXTRA = 1\n")
    assert planned(finished) == {(rule, name) for rule in LEARNING for name in ("unet_small", "unet_narrow")}


def test_a_figures_setting_never_trains_again(finished):
    jobs = planned(finished, with_values(report={"hold_seconds": 9, "frames_per_second": 1, "examples": 1}))
    assert jobs == {("render_epochs", "unet_small"), ("render_epochs", "unet_narrow")}


def test_another_number_of_samples_on_the_inspection_sheet_splits_and_trains_nothing_again(finished):
    assert planned(finished, with_values(inspect={"examples": 2})) == {("inspect", "")}


def test_another_headline_is_checked_and_splits_and_trains_nothing_again(finished):
    assert planned(finished, with_values(report={"headline_class": "mean"})) == {("check_headline", "")}


def test_post_processing_does_not_predict_again(finished):
    jobs = planned(finished, with_values(predict={"min_area_px": 99}))
    assert {rule for rule, _ in jobs} == {"state_postprocess", "postprocess", "evaluate"}


def test_tuning_predicts_the_validation_part_and_no_test_image_again(finished):
    jobs = planned(finished, with_values(predict={"tune": {"foreground": [0.4, 0.6]}}))
    rules = {rule for rule, name in jobs if name == "unet_small"}
    assert rules == {"predict_validation", "tune_postprocess", "postprocess", "evaluate"}


def test_another_augmentation_of_an_architecture_trains_it_alone(finished):
    values = {**STUDY["architectures"], "unet_small": {"network": "unet_small", "augment": {"noise": 3.0}}}
    assert planned(finished, with_values(architectures=values)) == {(rule, "unet_small") for rule in LEARNING}


def test_a_schedule_that_is_not_used_reruns_nothing(finished, edit):
    edit("scripts/histoloom/schedules/poly.py", new="\n\nEXTRA = 1\n")
    assert planned(finished) == set()


def test_other_raw_data_is_prepared_anew_with_all_that_follows(finished, edit):
    edit("data/raw/groundTruth/Case_1-01.json", new="\n")
    rules = {rule for rule, _ in planned(finished)}
    assert rules == {"prepare", *INSPECTION, "split", "tiles", "predict_baseline", *LEARNING}
