"""Every architecture is captured by torch.compile, which gives what the network gives."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architectures.architecture_case import DISTINCT

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not shutil.which("c++"), reason="needs a C++ compiler (Debian package g++)")
def test_compiled_networks_give_what_they_give_uncompiled():
    done = subprocess.run(
        [sys.executable, "tests/architectures/compiled.py"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"scripts{os.pathsep}.", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert [line.partition(": equal")[0] for line in done.stdout.splitlines()] == DISTINCT
