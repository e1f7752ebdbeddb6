"""Why jobs would run: each kind of change is told in the words of the config, and what only follows is counted."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from histoloom.study.planned import PlannedJob, Record
from histoloom.study.reasons import explain, own_causes
from histoloom.study.reasons_text import label, told

REPOSITORY = Path(__file__).parents[2]
CONFIG = {
    "study": {"seed": 0},
    "datasets": {"demo": {"train": {"epochs": 9}}},
    "architectures": {"unet": {"network": "unet", "options": {"width": 8}}, "tiny": {"network": "unet"}},
    "pairs": {"demo/unet": {"train": {"loss": "dice"}}},
    "train": {"epochs": 5, "loss": "bce", "learning_rate": 0.001},
    "augment": {"noise": 0.0},
    "tiles": {"tile_px": 128},
    "report": {"examples": 3},
    "slides": {"predict": {"overlap": 16}, "regions": {}, "tissue": {"hole_um2": 1.0}, "fold": "best"},
    "predict": {"overlap": 4, "tune": {}},
}
FLAGS = ["--epochs", "5", "--learning-rate", "0.001", "--loss", "bce", "--option", "width=8", "--seed", "0"]
CODE = "0123456789ab"
STUDY = {
    "study": {"name": "small", "datasets": ["demo_breast"], "baselines": ["all_background"]},
    "datasets": {
        "demo_breast": {
            "reader": "brecahad",
            "root": "data/raw",
            "options": {"radius_px": 9},
            "tiles": {"tile_px": 128, "stride_px": 128},
            "split": {"fold_count": 2, "validation": "images"},
        }
    },
    "architectures": {"unet_narrow": {"network": "unet", "options": {"width": 4}}},
}
TARGET = "results/demo_breast/tiles/windows.csv"


def job(rule="train", *, flags=FLAGS, before=FLAGS, code=CODE, wildcards=None, **changes):
    """A planned job of stage train that ran before with flags `before` and the code CODE."""
    known = {"dataset": "demo", "architecture": "unet", "fold": "0"} if wildcards is None else wildcards
    record = None if before is None else Record((CODE, before), frozenset({"a.csv"}), 60.0)
    usual = {"rule_file": "train.smk", "script": "train.py", "inputs": frozenset({"a.csv"}), "record": record}
    return PlannedJob(rule, wildcards=known, params={"flags": flags, "code": code}, **{**usual, **changes})


def causes(*jobs):
    return [text for one in jobs for text in (cause.text for cause in own_causes(one, CONFIG))]


def with_flag(name, *values):
    """FLAGS with other values of one flag."""
    place = FLAGS.index(name)
    end = next((i for i in range(place + 1, len(FLAGS)) if FLAGS[i].startswith("--")), len(FLAGS))
    return [*FLAGS[: place + 1], *values, *FLAGS[end:]]


def test_a_value_of_a_section_is_told_by_its_key():
    assert causes(job(flags=with_flag("--learning-rate", "0.0003"))) == ["train.learning_rate: 0.001 -> 0.0003"]


def test_a_value_is_told_by_the_section_that_states_it():
    assert causes(job(flags=with_flag("--epochs", "9"))) == ["datasets.demo.train.epochs: 5 -> 9"]
    assert causes(job(flags=with_flag("--loss", "dice"))) == ["pairs.demo/unet.train.loss: bce -> dice"]


def test_options_are_told_one_by_one():
    changed = job(flags=with_flag("--option", "depth='2'", "width=4"))
    assert causes(changed) == [
        "architectures.unet.options.depth: not set -> 2",
        "architectures.unet.options.width: 8 -> 4",
    ]


def test_a_seed_is_of_the_study():
    assert causes(job(flags=with_flag("--seed", "1"))) == ["study.seed: 0 -> 1"]


def test_a_flag_that_is_new_was_not_set():
    assert causes(job(flags=[*FLAGS, "--noise", "0.0"])) == ["augment.noise: not set -> 0.0"]


def test_a_slides_own_section_wins():
    flags = ["--overlap", "16"]
    slide = {"slide": "s", "dataset": "demo", "architecture": "unet"}
    changed = job("predict_slide", flags=flags, before=["--overlap", "4"], wildcards=slide, rule_file="slides.smk")
    assert causes(changed) == ["slides.predict.overlap: 4 -> 16"]


def test_a_flag_that_no_config_has_keeps_its_name():
    assert causes(job(flags=[*FLAGS, "--strange", "1"])) == ["--strange: not set -> 1"]


def test_changed_code_names_the_script():
    assert causes(job(code="ba9876543210")) == ["code of train.py or of what it imports changed"]


def test_changed_raw_data_names_the_dataset():
    params = {"flags": FLAGS, "raw_data": "ba9876543210"}
    record = Record((FLAGS, "0123456789ab"), frozenset(), 1.0)
    changed = PlannedJob(
        "prepare", "prepare", "prepare_dataset.py", {"dataset": "demo"}, params, frozenset(), record=record
    )
    assert causes(changed) == ["raw data of demo changed"]


def test_inputs_that_came_and_went_are_told():
    assert causes(job(inputs=frozenset({"b.csv", "c.csv", "d.csv"}))) == [
        "train reads b.csv, c.csv and 1 more",
        "train no longer reads a.csv",
    ]


def test_a_newer_input_is_named():
    assert causes(job(newer=("a.csv",))) == ["a.csv changed since"]


def test_a_job_without_record_never_ran():
    assert causes(job(before=None, missing=("model.safetensors",))) == ["never run"]


def test_a_file_that_is_gone_is_no_first_run():
    assert causes(job(missing=("model.safetensors",), gone=("model.safetensors",))) == ["files that were made are gone"]


def test_a_file_that_a_rule_did_not_make_before_is_told_with_its_wildcards():
    new = ("results/demo/unet/fold0/cost.json",)
    pattern = "results/<dataset>/<architecture>/fold<k>/cost.json"
    assert causes(job(missing=new)) == [f"train makes {pattern}, which it did not before"]


def test_another_command_explains_the_other_files_that_it_reads():
    changed = job(inputs=frozenset({"b.csv"}), missing=("cost.json",), is_command_changed=True)
    assert causes(changed) == ["the command of rule train changed (workflow/rules/train.smk)"]


def test_a_broken_off_job_is_told_as_such():
    assert causes(job(is_interrupted=True, missing=("model.safetensors",))) == ["broken off before it was done"]


def test_a_changed_command_names_its_rule_file():
    assert causes(job(is_command_changed=True)) == ["the command of rule train changed (workflow/rules/train.smk)"]


def test_a_job_with_no_cause_of_its_own_follows():
    explanation = explain([job(flags=with_flag("--seed", "1")), job("predict")], CONFIG)
    assert [one.rule for one in explanation.following] == ["predict"]


def test_causes_stand_first_and_once_with_all_their_jobs():
    wildcards = [{"dataset": "demo", "architecture": "tiny", "fold": str(fold)} for fold in range(3)]
    changed = [job(flags=with_flag("--learning-rate", "0.01"), wildcards=known) for known in wildcards]
    following = [job("predict", wildcards=known) for known in wildcards]
    assert told(explain([*changed, *following], CONFIG)) == [
        "6 jobs would run; when they last ran they took 6 min 0 s, one after the other.",
        "",
        "Because",
        "  train.learning_rate: 0.001 -> 0.01",
        "      train (3 jobs): tiny on demo, folds 0 to 2",
        "",
        "And therefore",
        "      predict 3",
    ]


def test_what_flags_told_is_not_told_again_of_the_recorded_config():
    old, new = (
        {"train": {"epochs": n, "processes_per_node": n}, "datasets": {"demo": {"train": {"epochs": 9}}}}
        for n in (5, 6)
    )
    record = Record((json.dumps(old),), frozenset(), 1.0)
    recorded = PlannedJob("record_config", "report_pages.smk", "record_config.py", {"study": "s"},
                          {"values": json.dumps(new)}, frozenset(), record=record)  # fmt: skip
    tiny = {"architecture": "tiny", "dataset": "other"}
    changed = job(flags=with_flag("--epochs", "6"), wildcards=tiny)
    found = [cause.text for cause, _ in explain([changed, recorded], CONFIG).causes]
    assert found == ["train.epochs: 5 -> 6", "train.processes_per_node: 5 -> 6"]


def test_causes_of_the_same_jobs_stand_together():
    changed = job(flags=with_flag("--learning-rate", "0.01"), code="ba9876543210")
    lines = told(explain([changed], CONFIG))
    assert lines[3:] == [
        "  train.learning_rate: 0.001 -> 0.01",
        "  code of train.py or of what it imports changed",
        "      train: unet on demo, fold 0",
    ]


def test_nothing_to_do_is_said():
    assert told(explain([], CONFIG)) == ["Nothing would run: all results are of this config, code and data."]


@pytest.mark.parametrize(
    ("wildcards", "expected"),
    [
        ({"dataset": "d", "baseline": "otsu", "fold": "1"}, "otsu on d"),
        ({"slide": "s1", "dataset": "d", "architecture": "unet"}, "slide s1, unet on d"),
        ({"study": "s"}, ""),
    ],
)
def test_a_job_is_named_by_what_it_is_about(wildcards, expected):
    assert label(wildcards) == expected


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A copy of the workflow in which TARGET of a small study was made by the real Snakemake and scripts."""
    from histoloom.prepare.demo.datasets import write_brecahad

    folder = tmp_path_factory.mktemp("why")
    for part in ("config", "workflow", "scripts", "envs"):
        shutil.copytree(REPOSITORY / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "Snakefile", folder)
    write_brecahad(folder / "data" / "raw", 1, 0)
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    run(folder, "-m", "snakemake", "--cores", "1", "--quiet", "all", "--configfile", "study.yaml", "--", TARGET)
    return folder


def run(folder, *words):
    """Standard output of Python in `folder`."""
    done = subprocess.run([sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_finished_target_plans_nothing_and_every_flag_of_every_rule_has_a_name_in_the_config(finished):
    """New flags are to be told in words of the config, too: study/config_words.py has a table of exceptions."""
    study = {
        **STUDY,
        "slides": {"files": ["slide.tif"], "model": "demo_breast/unet_narrow", "mpp": 0.5, "model_mpp": 0.5},
        "regions": {"tried": [{"kernel": "gaussian", "kernel_size": 1.0}], "tried_overlaps": [16]},
        "predict": {"tune": {"foreground": [0.4, 0.5]}, "method_options": {"min_distance_px": 4}},
        "normalise": {"method": "macenko"},
    }
    (finished / "all.yaml").write_text(yaml.safe_dump(study))
    (finished / "slide.tif").touch()
    code = """
import sys
from pathlib import Path
sys.path.insert(0, "scripts")
from histoloom.errors import InputError
from histoloom.study.config_words import flag_values, key_of
from histoloom.study.merging import read_config
from histoloom.study.planned import planned_jobs
assert planned_jobs(Path("Snakefile"), [Path("study.yaml")], [sys.argv[1]]) == []
try:
    planned_jobs(Path("Snakefile"), [Path("study.yaml")], ["results/nobody/makes.this"])
except InputError as error:
    assert str(error).startswith("Snakefile: no plan: ") and "results/nobody/makes.this" in str(error), error
else:
    raise AssertionError("a file that no rule makes was planned")
config = read_config(["config/config.yaml", "all.yaml"], {})
jobs = planned_jobs(Path("Snakefile"), [Path("all.yaml")])
flags = {(j.rule, f, key_of(f, (j.rule, j.stage), j.wildcards, config))
         for j in jobs for v in j.params.values() if isinstance(v, list) for f in flag_values(v)}
assert len(flags) > 100, len(flags)
print(*sorted(f"{rule} {key}" for rule, _, key in flags if key.startswith("--")))
"""
    assert run(finished, "-c", code, TARGET).strip() == ""


def test_real_changes_of_config_code_and_files_are_told(finished):
    study = json.loads(json.dumps(STUDY))
    study["datasets"]["demo_breast"] |= {"options": {"radius_px": 8}, "tiles": {"tile_px": 128, "stride_px": 96}}
    (finished / "other.yaml").write_text(yaml.safe_dump(study))
    with (finished / "scripts" / "histoloom" / "split" / "tiles.py").open("a") as module:
        module.write("\n\nEXTRA = 1\n")
    (finished / TARGET).unlink()
    before = sorted(path for path in finished.rglob("*") if not {".snakemake", "__pycache__"} & {*path.parts})
    lines = run(finished, "scripts/explain_rerun.py", "--configfile", "other.yaml", "--target", TARGET).splitlines()
    assert lines[0].startswith("2 jobs would run; when they last ran they took ")
    # The changes of tiles lie below a job that runs anyway; Snakemake itself does not tell them.
    assert lines[1:] == [
        "",
        "Because",
        "  datasets.demo_breast.options.radius_px: 9 -> 8",
        "      prepare: demo_breast",
        "  datasets.demo_breast.tiles.stride_px: 128 -> 96",
        "  code of make_tiles.py or of what it imports changed",
        "  files that were made are gone",
        "      tiles: demo_breast",
    ]
    assert sorted(path for path in finished.rglob("*") if not {".snakemake", "__pycache__"} & {*path.parts}) == before
