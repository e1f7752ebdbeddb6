"""Servers that fork scripts, started once for all tests of a process: to import what they import takes seconds."""

import pytest

from tests.faults.fault_cases import STAGES, training
from tests.faults.forked_runs import ForkServer


@pytest.fixture(scope="session")
def trainer(tmp_path_factory):
    """Starts trainings."""
    with ForkServer(("train.py",), tmp_path_factory.mktemp("logs")) as server:
        yield server


@pytest.fixture(scope="session")
def stages(tmp_path_factory):
    """Starts the scripts of fault_cases.STAGES."""
    with ForkServer(tuple(f"{name}.py" for name in STAGES), tmp_path_factory.mktemp("logs")) as server:
        yield server


@pytest.fixture(scope="session")
def undisturbed(trainer, tmp_path_factory):
    """What the tiny training comes to when nothing disturbs it."""
    work = training(tmp_path_factory.mktemp("undisturbed") / "case", checkpoint_minutes=1e9)
    status, said = trainer.run(work.words)
    assert status == 0, said
    return work.result()
