"""Two processes give what one gives."""

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import nn

from histoloom.errors import HeldError, InputError, StoppedError
from histoloom.train import distributed
from histoloom.train.distributed import (
    CrossRankBatchNorm,
    Ranks,
    entered_by_first,
    joined,
    told_once,
    with_shared_statistics,
)
from histoloom.train.parent import LAUNCHER_PID
from histoloom.train.stopping import StopRequest

ROOT = Path(__file__).parents[2]


def test_two_ranks_give_the_loss_the_gradient_and_the_statistics_of_one():
    done = subprocess.run(
        [sys.executable, "scripts/launch_training.py", "--processes", "2", "tests/train/two_ranks.py"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "scripts", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("equal") == 2


def test_a_batch_that_cannot_be_shared_out_evenly_is_refused():
    with pytest.raises(
        InputError, match=r"batch_size 5 over 2 processes; expected a multiple; change train.batch_size"
    ):
        Ranks(0, 2, torch.device("cpu")).share_of(5)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_batch_norm_with_an_activation_of_its_own_is_refused_before_anything_is_converted(device):
    network = nn.Sequential(nn.BatchNorm2d(2), nn.Sequential(BatchNormAct2d(2)))
    expected = r"layer 1\.0: BatchNormAct2d over 2 processes; .*\nset .* train.processes_per_node to 1, or take another"
    with pytest.raises(InputError, match=expected):
        with_shared_statistics(network, Ranks(0, 2, torch.device(device)))
    assert type(network[0]) is nn.BatchNorm2d
    alone = with_shared_statistics(network, Ranks(0, 1, torch.device("cpu")))
    assert type(alone[1][0]) is BatchNormAct2d


def test_norms_whose_statistics_are_shared_already_stay():
    ranks = Ranks(0, 2, torch.device("cpu"))
    network = with_shared_statistics(nn.Sequential(nn.BatchNorm2d(2), nn.SyncBatchNorm(2)), ranks)
    assert [type(layer) for layer in with_shared_statistics(network, ranks)] == [CrossRankBatchNorm, nn.SyncBatchNorm]


def test_a_process_whose_launcher_is_gone_does_not_begin(monkeypatch):
    monkeypatch.setattr("histoloom.train.distributed.die_with_parent", lambda: None)
    monkeypatch.setenv(LAUNCHER_PID, str(os.getpid()))  # not the parent of this process
    with pytest.raises(InputError, match=f"launcher {os.getpid()} of this process: gone"), joined(1):
        pass


def test_every_rank_is_told_its_launcher(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(f"import os, sys\nsys.exit(os.environ['{LAUNCHER_PID}'] != str(os.getppid()))\n")
    command = [sys.executable, "scripts/launch_training.py", "--processes", "2", str(script)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


ALONE, SECOND = Ranks(0, 1, torch.device("cpu")), Ranks(1, 2, torch.device("cpu"))


@contextmanager
def refusing():
    raise HeldError("state: held by another")
    yield


def test_an_error_that_follows_a_request_to_stop_counts_as_the_stop():
    # A loader worker that was being started dies of the signal, and torch's loader raises.
    with pytest.raises(StoppedError, match="by SIGTERM; started again"), told_once(ALONE, StopRequest("SIGTERM")):
        raise RuntimeError("DataLoader worker (pid 1) exited unexpectedly")
    with pytest.raises(RuntimeError, match="a bug"), told_once(ALONE, StopRequest()):
        raise RuntimeError("a bug")


@pytest.mark.parametrize("error", [StoppedError("by SIGTERM"), RuntimeError("Connection closed by peer")])
def test_other_ranks_end_without_a_word_when_training_was_stopped(error):
    with pytest.raises(SystemExit) as end, told_once(SECOND, StopRequest("SIGTERM")):
        raise error
    assert end.value.code == 75


def test_what_refuses_the_first_rank_is_raised_on_all(monkeypatch):
    sent = []
    monkeypatch.setattr(distributed, "from_first", lambda value, ranks: sent.append(value) or sent[0])
    with pytest.raises(HeldError, match="held by another"), entered_by_first(refusing(), Ranks(0, 2, SECOND.device)):
        raise AssertionError("entered")
    with pytest.raises(HeldError, match="held by another"), entered_by_first(refusing(), SECOND):
        raise AssertionError("entered")
    assert sent[1] is None  # the second one did not try by itself


def test_a_peer_that_is_gone_before_all_have_met_is_told(monkeypatch):
    def refused(backend, timeout):
        raise RuntimeError("Gloo connectFullMesh failed with\nConnection refused")

    monkeypatch.setattr(torch.distributed, "init_process_group", refused)
    monkeypatch.setattr(distributed, "die_with_parent", lambda: None)
    monkeypatch.setenv("WORLD_SIZE", "2")
    message = r"process 0 of 2: cannot reach the others \(Gloo connectFullMesh failed with\); expected all"
    with pytest.raises(InputError, match=message), joined(torch.get_num_threads()):
        raise AssertionError("joined")
