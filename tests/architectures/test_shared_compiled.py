"""Architectures are captured by torch.compile, which gives what the network gives.

One of each way to be built; `python tests/architectures/compiled.py` takes minutes and tries them all.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHOWN = ["unet_small", "inception_unet", "deeplabv3_resnet50", "unet_efficientnet_b0", "segresnet"]


@pytest.mark.skipif(not shutil.which("c++"), reason="needs a C++ compiler (Debian package g++)")
def test_compiled_networks_give_what_they_give_uncompiled():
    done = subprocess.run(
        [sys.executable, "tests/architectures/compiled.py", *SHOWN],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"scripts{os.pathsep}.", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert [line.partition(": equal")[0] for line in done.stdout.splitlines()] == SHOWN
