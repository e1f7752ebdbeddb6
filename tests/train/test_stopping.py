"""A signal asks for an end and does nothing else."""

import os
import signal
import subprocess
import sys

import pytest

from histoloom.train.data.batches import start_worker
from histoloom.train.stopping import SIGNALS, stop_requests
from tests.train.training_case import ROOT, environment_with


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_noted_by_its_name_and_nothing_else_happens(number):
    with stop_requests() as asked:
        assert not asked
        os.kill(os.getpid(), number)
        assert asked
        assert asked.by == signal.Signals(number).name


def test_the_first_of_several_signals_is_the_one_that_is_told():
    with stop_requests() as asked:
        for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGTERM):
            os.kill(os.getpid(), number)
        assert asked.by == "SIGUSR1"


def test_afterwards_signals_mean_what_they_meant():
    before = [signal.getsignal(number) for number in SIGNALS]
    with stop_requests():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_loader_workers_live_on_when_every_process_of_a_job_is_signalled():
    done = subprocess.run(
        [sys.executable, "-m", "tests.train.signalled_workers"], cwd=ROOT, env=environment_with(), capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.split() == ["4", "batches,", "asked", "by", "SIGTERM"], done.stderr


def test_a_process_that_ends_takes_the_workers_along_of_a_loader_that_is_still_held():
    # A network whose import had failed once before held one in a frame; the training was done and never ended.
    done = subprocess.run(
        [sys.executable, "-m", "tests.train.kept_loader"], cwd=ROOT, env=environment_with(), capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout.split()) == (0, ["2", "batches"]), done.stderr


def test_a_loader_worker_whose_trainer_is_gone_already_ends():
    # Killed between the fork and the worker's first line, it would leave a worker that waits for ever.
    child = os.fork()
    if child == 0:
        try:
            start_worker(trainer=os.getppid() + 1, _=0)
        finally:
            os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
