"""The profile that every `snakemake` here uses: all cores, and on a machine with a GPU one job at a time on it."""

import glob
import re
import sys
from pathlib import Path

import pytest
from yte import process_yaml

WORKFLOW = Path(__file__).parents[2] / "workflow"
PROFILE = WORKFLOW / "profiles" / "default" / "profile.yaml"


def profile(monkeypatch, devices, words):
    with monkeypatch.context() as patch:
        patch.setattr(glob, "glob", lambda pattern: devices if pattern.startswith("/dev/nvidia") else [])
        patch.setattr(sys, "argv", ["snakemake", *words])
        patch.delenv("SNAKEMAKE_PROFILE", raising=False)
        return process_yaml(PROFILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("devices, limited", [([], None), (["/dev/nvidia0", "/dev/nvidia1"], {"gpu_jobs": 1})])
def test_a_gpu_of_this_machine_is_given_to_one_job_at_a_time(devices, limited, monkeypatch):
    found = profile(monkeypatch, devices, ["--configfile", "mine.yaml"])
    assert found.get("resources") == limited
    assert found["cores"] == "all"


def test_on_a_cluster_the_submitting_machine_limits_nothing(monkeypatch):
    found = profile(monkeypatch, ["/dev/nvidia0"], ["--profile", "slurm"])
    assert not {"resources", "cores"} & set(found)


def test_every_rule_that_asks_a_cluster_for_gpus_counts_as_a_job_on_this_machines_gpu():
    rules = "\n".join(path.read_text(encoding="utf-8") for path in (WORKFLOW / "rules").glob("*.smk"))
    blocks = re.findall(r"^    resources:\n((?:        .*\n)+)", rules, re.MULTILINE)
    asking = [block for block in blocks if "gres=" in block]
    assert len(asking) == 4
    assert all("gpu_jobs=1," in block for block in asking)
