"""scripts/train.py with the tests' tiny network and a pause at each step, long enough to be disturbed in.

STEP_SECONDS: the pause. It changes nothing of what training gives.
"""

import os
import runpy
import time
from pathlib import Path

from histoloom import networks
from histoloom.train import training
from tests.faults.tiny_training import tiny_network

optimise = training.optimise


def optimise_slowly(*arguments, **options):
    time.sleep(float(os.environ.get("STEP_SECONDS", "0")))
    return optimise(*arguments, **options)


if __name__ == "__main__":
    networks.build_network = tiny_network
    training.optimise = optimise_slowly
    runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "train.py"), run_name="__main__")
