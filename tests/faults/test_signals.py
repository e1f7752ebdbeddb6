"""A training that is asked to stop saves, ends with status 75, and goes on to the same bytes (row F4)."""

import signal
import subprocess
import time

import pytest

from tests.faults.fault_cases import training
from tests.train.training_case import ROOT, environment_with

GRACE_SECONDS = 5  # the shortest that clusters are set to
GO_ON = 75


def finished(trainer, work):
    status, said = trainer.run(work.words)
    assert status == 0, said
    assert work.litter() == []
    return work.result()


@pytest.mark.parametrize(
    ("point", "names", "whom"),
    [
        ({"KILL_AFTER_STEPS": "2"}, "SIGTERM", "self"),
        ({"KILL_AFTER_STEPS": "2"}, "SIGUSR1 SIGTERM", "group"),
        ({"KILL_AFTER_STEPS": "4"}, "SIGTERM SIGTERM", "group"),  # the last step of an epoch
        ({"KILL_AT": "start"}, "SIGUSR1", "self"),
        ({"KILL_AT": "validation"}, "SIGTERM", "group"),
    ],
)
def test_asked_to_stop_it_saves_ends_with_75_and_goes_on_to_the_same_bytes(
    trainer, undisturbed, tmp_path, point, names, whom
):
    work = training(tmp_path / "case", checkpoint_minutes=1e9, loader_workers=2)
    for _ in range(2):  # twice in a row
        run = trainer.start(work.words, {**point, "KILL_BY": names, "KILL_WHOM": whom, "KILL_RANK": "0"})
        assert run.wait() == GO_ON, run.said()
        assert f"stopped: by {names.split()[0]} after step " in run.said()
        assert "Traceback" not in run.said()
        assert run.left_running() == []
        assert len(list(work.folder.glob("state/*/checkpoint-*"))) >= 1
        assert not work.out.exists()
    assert finished(trainer, work) == undisturbed


def test_asked_to_stop_while_it_writes_its_results_it_writes_them(trainer, undisturbed, tmp_path):
    work = training(tmp_path / "case")
    environment = {"KILL_AT": "publish", "KILL_BY": "SIGTERM", "KILL_WHOM": "group"}
    status, said = trainer.run(work.words, environment)
    assert status in (0, GO_ON), said
    assert status == GO_ON or work.result() == undisturbed
    assert finished(trainer, work) == undisturbed


def test_from_signal_to_end_it_takes_less_than_the_shortest_grace(trainer, tmp_path):
    work = training(tmp_path / "case", settings={"epochs": 4000}, checkpoint_minutes=1e9, loader_workers=2)
    run = trainer.start(work.words)
    while "epoch 2/" not in run.said():
        assert not run.has_ended(0.01), run.said()
    began = time.monotonic()
    run.send(signal.SIGTERM, to_group=True)
    assert run.wait() == GO_ON, run.said()
    assert time.monotonic() - began < GRACE_SECONDS


def test_an_agent_asked_to_stop_asks_all_its_ranks_and_ends_with_75(trainer, tmp_path):
    case = training(tmp_path / "case", processes=2, loader_workers=1, settings={"epochs": 4000}).training
    running = subprocess.Popen(case.command(), cwd=ROOT, env=environment_with(), stderr=subprocess.PIPE, text=True)
    while not list(case.folder.glob("state/*/checkpoint-*")):
        assert running.poll() is None
        time.sleep(0.05)
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=60)
    assert running.returncode == GO_ON, said
    assert "stopped: by SIGTERM" in said
    assert "Traceback" not in said
