"""Two processes give what one gives."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from histoloom.errors import InputError
from histoloom.train.distributed import Ranks

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
