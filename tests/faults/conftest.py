"""A server that forks scripts, started once for all tests of a process: to import what they import takes seconds."""

import time

import pytest

from tests.faults.fault_cases import STAGES, training
from tests.faults.forked_runs import ForkServer


@pytest.fixture(scope="session")
def stages(tmp_path_factory):
    """Starts the scripts of fault_cases.STAGES."""
    scripts = ("train.py", *(f"{name}.py" for name in STAGES))
    with ForkServer(scripts, tmp_path_factory.mktemp("logs")) as server:
        yield server


@pytest.fixture(scope="session")
def trainer(stages):
    """Starts trainings; the same server, since most of what it imports is the same."""
    return stages


@pytest.fixture(scope="session")
def undisturbed(trainer, tmp_path_factory):
    """What the tiny training comes to when nothing disturbs it."""
    work = training(tmp_path_factory.mktemp("undisturbed") / "case", checkpoint_minutes=1e9)
    status, said = trainer.run(work.words)
    assert status == 0, said
    return work.result()


@pytest.fixture(scope="session")
def undisturbed_stage(stages, tmp_path_factory):
    """By its name what a stage comes to when nothing disturbs it, and the seconds that takes."""
    known = {}

    def of(stage):
        if stage not in known:
            work = STAGES[stage](tmp_path_factory.mktemp("undisturbed") / "case")
            began = time.monotonic()
            status, said = stages.run(work.words)
            assert status == 0, said
            known[stage] = work.result(), time.monotonic() - began
        return known[stage]

    return of
