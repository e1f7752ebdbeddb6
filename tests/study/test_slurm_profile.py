"""The profiles: that Snakemake knows every option, the rules named are there, and Slurm is asked for what is meant."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from snakemake.profiles import ProfileConfigFileParser

REPOSITORY = Path(__file__).parents[2]
PROFILES = REPOSITORY / "workflow" / "profiles"
RULE_FILES = "".join(path.read_text() for path in sorted((REPOSITORY / "workflow" / "rules").glob("*.smk")))
RULES = set(re.findall(r"^(?:rule|use rule \w+ as) (\w+)", RULE_FILES, re.MULTILINE))
GPU_RULES = {
    *("tune", "train", "train_round", "train_part"),
    *("predict", "predict_validation", "predict_overlap", "predict_part", "predict_slide"),
}
LOCAL_RULES = set(re.findall(r"\w+", " ".join(re.findall(r"^localrules:\n((?:    .*\n)+)", RULE_FILES, re.MULTILINE))))


def options(name, monkeypatch, *words):
    """A profile's options as Snakemake reads them when called with `words`."""
    monkeypatch.setattr(sys, "argv", ["snakemake", *words])
    monkeypatch.delenv("SNAKEMAKE_PROFILE", raising=False)
    with (PROFILES / name / "profile.yaml").open() as stream:
        return ProfileConfigFileParser().parse(stream)


@pytest.fixture(scope="module")
def slurm():
    """The Slurm profile as plain YAML."""
    return yaml.safe_load((PROFILES / "slurm" / "profile.yaml").read_text())


@pytest.fixture(scope="module")
def known():
    """All long options of Snakemake and its plug-ins, as its help lists them."""
    command = [sys.executable, "-m", "snakemake", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout
    return set(re.findall(r"(?:^  |, )--([a-z][a-z-]+)", told, re.MULTILINE))


@pytest.mark.parametrize("name", ["default", "slurm"])
def test_snakemake_knows_every_option(name, known, monkeypatch):
    found = options(name, monkeypatch)
    assert len(found) > 3
    assert set(found) - known == set()


def test_every_rule_that_the_slurm_profile_names_is_there(slurm):
    assert set(slurm["set-resources"]) | set(slurm["groups"]) <= RULES


def test_rules_that_ask_for_gpus_go_to_their_partition_and_no_other_rule_does(slurm):
    partition = slurm["set-resources"]["predict"]["slurm_partition"]
    assert partition != slurm["default-resources"]["slurm_partition"]
    assert {rule for rule, values in slurm["set-resources"].items() if values["slurm_partition"] == partition} == (
        GPU_RULES
    )


def test_how_many_gpus_a_job_is_given_is_left_to_the_config(slurm):
    assert all("gres" not in values and "gpu" not in values for values in slurm["set-resources"].values())


def test_grouped_rules_ask_for_no_gpu_and_are_not_run_beside_snakemake(slurm):
    assert set(slurm["groups"]).isdisjoint(GPU_RULES | LOCAL_RULES)


def test_no_rule_is_a_job_array(slurm):
    # They wait for ever where more jobs of a rule are ready than `jobs` allows at a time.
    assert "slurm-array-jobs" not in slurm


def test_the_warning_before_the_end_of_a_trainings_time_keeps_what_the_rule_asks_for(slurm):
    stated = re.search(r'slurm_extra="([^"]+)"', RULE_FILES)[1]
    words = slurm["set-resources"]["train"]["slurm_extra"].split()
    assert set(stated.split()) <= set(words)
    # Without "B:" the signal is sent to the processes of the training, not to the shell above them.
    [signal] = [word for word in words if word.startswith("--signal=")]
    assert re.fullmatch(r"--signal=TERM@\d+", signal)


def test_the_longest_time_bounds_each_job_and_not_their_sum(slurm):
    assert slurm["resources"]["runtime"] > 0
    assert slurm["set-resource-scopes"] == {"runtime": "local"}  # memory is local by itself


def test_preempted_jobs_are_requeued_and_cancelled_ones_are_seen(slurm):
    # Without requeue Snakemake waits for ever for what was preempted, with sacct for what was cancelled.
    assert slurm["slurm-requeue"] is True
    assert slurm["slurm-status-command"] == "squeue"
    assert slurm["retries"] >= 1
    assert "retries" not in re.findall(r"^    (\w+):", RULE_FILES, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "is_here"),
    [
        ((), True),
        (("--configfile", "mine.yaml"), True),
        (("--profile", "slurm"), False),
        (("--profile=slurm",), False),
        (("--executor", "slurm"), False),
    ],
)
def test_cores_of_this_machine_bound_jobs_only_where_they_run_on_it(words, is_here, monkeypatch):
    found = options("default", monkeypatch, *words)
    assert found.get("cores") == ("all" if is_here else None)
    assert ("max-jobs-per-timespan" in found) == is_here
    assert found["rerun-incomplete"] == "True"
