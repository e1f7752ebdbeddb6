"""A training killed with SIGKILL at any step and started again ends in the same bytes."""

import random
import subprocess
import time

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import load_file

from tests.train.training_case import ROOT, environment_with, make_case

STEPS = 12  # 3 epochs of 8 windows in batches of 2


def training_processes(folder) -> list[psutil.Process]:
    mark = str(folder)
    found = []
    for process in psutil.process_iter():
        try:
            if mark in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.mark.parametrize("processes", [1, 2])
def test_killed_at_fixed_steps_it_ends_in_the_same_bytes(tmp_path, processes):
    undisturbed = make_case(tmp_path / "undisturbed", processes=processes, loader_workers=2, checkpoint_minutes=1e9)
    done = undisturbed.train()
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("epoch ") == 3

    killed = make_case(tmp_path / "killed", processes=processes, loader_workers=1)
    # Within the first epoch, at the last step of an epoch, and of another rank where there is one. Steps count from
    # each start; after a kill at step k training goes on from the checkpoint of step k - 1.
    second = (2, "agent", 0) if processes > 1 else (2, "self", 0)
    for steps, whom, rank in ((3, "self", 0), second, (6, "self", processes - 1)):
        stopped = killed.train_until_killed(steps, whom, rank)
        assert stopped.returncode != 0, stopped.stderr
        assert not killed.outputs["model"].exists()
    done = killed.train()
    assert done.returncode == 0, done.stderr
    assert killed.result() == undisturbed.result()
    assert not list(killed.folder.rglob(".part-*"))


def test_killed_at_random_times_it_ends_in_the_same_bytes(tmp_path):
    undisturbed = make_case(tmp_path / "undisturbed", checkpoint_minutes=1e9)
    assert undisturbed.train().returncode == 0
    killed = make_case(tmp_path / "killed")
    wait = random.Random(0)
    for _ in range(2):
        running = subprocess.Popen(
            killed.command(), cwd=ROOT, env=environment_with(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while running.poll() is None and not list(killed.folder.glob("state/*/checkpoint-*")):
            time.sleep(0.01)
        time.sleep(wait.uniform(0, 0.5))
        running.kill()
        running.wait()
    done = killed.train()
    assert done.returncode == 0, done.stderr
    assert killed.result() == undisturbed.result()


def test_no_process_outlives_its_killed_agent(tmp_path):
    case = make_case(tmp_path / "case", loader_workers=2, processes=2)
    case.train_until_killed(2, "agent")
    deadline = time.monotonic() + 10
    while training_processes(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert training_processes(tmp_path) == []


def test_an_unfinished_state_is_not_taken_up_by_other_settings_or_other_code(tmp_path):
    case = make_case(tmp_path / "case")
    case.train_until_killed(2)
    case.settings = {"learning-rate": 0.02}
    case.train_until_killed(2)
    case.code = "other"
    case.train_until_killed(2)
    assert len(list(case.folder.glob("state/*/"))) == 3


def test_a_second_trainer_on_the_same_state_is_told_who_is_there(tmp_path):
    case = make_case(tmp_path / "case", settings={"epochs": 2000})
    first = subprocess.Popen(case.command(), cwd=ROOT, env=environment_with(), stderr=subprocess.DEVNULL)
    try:
        while not list(case.folder.glob("state/*/checkpoint-*")):
            assert first.poll() is None
            time.sleep(0.05)
        second = case.train()
    finally:
        first.kill()
        first.wait()
    assert second.returncode == 3
    assert ": another run is at work here (user " in second.stderr
    assert f", process {first.pid}, job none, since " in second.stderr
    assert "Traceback" not in second.stderr


def test_one_process_and_two_with_the_same_global_batch_agree(tmp_path):
    # Without dropout, whose random numbers depend on which process an image falls to.
    results = []
    for processes in (1, 2):
        case = make_case(tmp_path / str(processes), processes=processes, checkpoint_minutes=1e9)
        done = case.train(DROPOUT="0")
        assert done.returncode == 0, done.stderr
        history = np.genfromtxt(case.outputs["history"], delimiter=",", names=True)
        results.append((load_file(case.outputs["model"]), history))
    (one, first), (two, second) = results
    for column in ("train_loss", "val_loss", "val_score"):
        np.testing.assert_allclose(first[column], second[column], rtol=1e-3)
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-4, msg=name)
