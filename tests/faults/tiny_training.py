"""scripts/train.py with a network that needs no long import, and a SIGKILL after so many steps if asked for.

KILL_AFTER_STEPS: the step, counted from the start of the process; KILL_RANK: on which rank; KILL_WHOM: self or agent.
The network has dropout and batch normalisation: what draws random numbers and what carries state of its own.
"""

import os
import runpy
import signal
from pathlib import Path

from torch import nn

from histoloom import networks
from histoloom.train import training

optimise = training.optimise
done = 0


def tiny_network(_: str, __: dict, outputs: int, ___: None, **____: bool) -> nn.Module:
    dropout = nn.Dropout(float(os.environ.get("DROPOUT", "0.2")))
    # Without bias: before batch normalisation its gradient is rounding noise, which Adam makes into whole steps.
    convolution = nn.Conv2d(3, 8, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(8), nn.ReLU(), dropout, nn.Conv2d(8, outputs, 3, padding=1))


def optimise_and_die(*arguments, **options):
    global done  # noqa: PLW0603
    result = optimise(*arguments, **options)
    done += 1
    if done == int(os.environ.get("KILL_AFTER_STEPS", "0")) and os.environ.get("RANK", "0") == os.environ["KILL_RANK"]:
        os.kill(os.getpid() if os.environ["KILL_WHOM"] == "self" else os.getppid(), signal.SIGKILL)
    return result


if __name__ == "__main__":
    networks.build_network = tiny_network
    training.optimise = optimise_and_die
    runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "train.py"), run_name="__main__")
