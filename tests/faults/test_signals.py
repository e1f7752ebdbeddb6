"""A training that is asked to stop saves, ends with status 75, and goes on to the same bytes (row F4)."""

import os
import signal
import subprocess
import time

import pytest

from tests.faults.fault_cases import training
from tests.train.training_case import ROOT, environment_with

GO_ON = 75
SECONDS = 120  # after which a job that should have ended has failed


@pytest.mark.parametrize(
    ("point", "names", "whom", "stops"),
    [
        ({"KILL_AFTER_STEPS": "2"}, "SIGUSR1 SIGTERM", "group", ("step 2 of epoch 1", "step 4 of epoch 1")),
        ({"KILL_AFTER_STEPS": "4"}, "SIGTERM SIGTERM", "self", ("step 4 of epoch 1", "step 4 of epoch 2")),
        ({"KILL_AT": "validation"}, "SIGTERM", "group", ("step 4 of epoch 1", "step 4 of epoch 1")),
    ],
)
def test_asked_to_stop_it_ends_after_that_step_with_75_and_goes_on_to_the_same_bytes(
    trainer, undisturbed, tmp_path, point, names, whom, stops
):
    # An epoch has 4 steps, counted from each start. That not one more is made bounds the time in steps, not in seconds.
    work = training(tmp_path / "case", checkpoint_minutes=1e9, loader_workers=2)
    for stop in stops:
        run = trainer.start(work.words, {**point, "KILL_BY": names, "KILL_WHOM": whom, "KILL_RANK": "0"})
        assert run.wait() == GO_ON, run.said()
        assert f"stopped: by {names.split()[0]} after {stop}, and saved" in run.said()
        assert "Traceback" not in run.said()
        assert run.left_running() == []
        assert not work.out.exists()
    status, said = trainer.run(work.words)
    assert status == 0, said
    assert work.litter() == []
    assert work.result() == undisturbed


def test_asked_to_stop_before_the_first_step_it_makes_one_at_most(trainer, tmp_path):
    work = training(tmp_path / "case", checkpoint_minutes=1e9, loader_workers=0)
    status, said = trainer.run(work.words, {"KILL_AT": "start", "KILL_BY": "SIGUSR1", "KILL_WHOM": "self"})
    assert status == GO_ON, said
    assert "stopped: by SIGUSR1 after step 1 of epoch 1, and saved" in said


def test_asked_to_stop_while_it_writes_its_results_it_writes_them(trainer, undisturbed, tmp_path):
    work = training(tmp_path / "case")
    status, said = trainer.run(work.words, {"KILL_AT": "publish", "KILL_BY": "SIGTERM", "KILL_WHOM": "group"})
    assert status == 0, said
    assert work.litter() == []
    assert work.result() == undisturbed


def test_an_agent_asked_to_stop_asks_all_its_ranks_and_ends_with_75(tmp_path):
    case = training(tmp_path / "case", processes=2, loader_workers=0, settings={"epochs": 4000}).training
    log = tmp_path / "log"  # a pipe that nobody empties would hold the ranks up
    with log.open("w") as said:
        command, environment = case.command(), environment_with()
        agent = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=said, start_new_session=True)
    try:
        while not list(case.folder.glob("state/*/checkpoint-*")):
            assert agent.poll() is None, log.read_text()
            time.sleep(0.05)
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(SECONDS) == GO_ON, log.read_text()
    finally:
        if agent.poll() is None:
            os.killpg(agent.pid, signal.SIGKILL)  # its ranks have sessions of their own, but die with it
            agent.wait()
    assert "stopped: by SIGTERM" in log.read_text()
    assert "Traceback" not in log.read_text()
