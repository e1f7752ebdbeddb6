"""scripts/train.py with a network that needs no long import, and a signal at some point if asked for.

KILL_AFTER_STEPS: the step, counted from the start of the process; KILL_RANK: on which rank; KILL_WHOM: self, agent or
group (all that the run consists of); KILL_BY: the signal, SIGKILL if not given, or several, one after the other.
KILL_AT: instead of a step "start" (before the first one), "validation" or "publish".
The network has dropout and batch normalisation: what draws random numbers and what carries state of its own.
"""

import itertools
import os
import runpy
import signal
import time
from collections.abc import Callable
from pathlib import Path

from torch import nn

from histoloom import networks
from histoloom.train import record, training, validation

optimise = training.optimise
done = 0


def tiny_network(_: str, __: dict, outputs: int, ___: None, **____: bool) -> nn.Module:
    dropout = nn.Dropout(float(os.environ.get("DROPOUT", "0.2")))
    # Without bias: before batch normalisation its gradient is rounding noise, which Adam makes into whole steps.
    convolution = nn.Conv2d(3, 8, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(8), nn.ReLU(), dropout, nn.Conv2d(8, outputs, 3, padding=1))


def strike() -> None:
    """Send what was asked for."""
    for name in os.environ.get("KILL_BY", "SIGKILL").split():
        number = signal.Signals[name]
        if os.environ["KILL_WHOM"] == "group":
            os.killpg(os.getpgid(0), number)
        else:
            os.kill(os.getpid() if os.environ["KILL_WHOM"] == "self" else os.getppid(), number)
            if number is signal.SIGKILL:
                time.sleep(60)  # the rank of a killed agent dies soon, but on a busy machine not before its next steps


def optimise_and_die(*arguments, **options):
    global done  # noqa: PLW0603
    result = optimise(*arguments, **options)
    done += 1
    if done == int(os.environ.get("KILL_AFTER_STEPS", "0")) and os.environ.get("RANK", "0") == os.environ["KILL_RANK"]:
        strike()
    return result


def struck_before(function: Callable) -> Callable:
    """The function, called once the signal has been sent; only the first call sends it."""
    calls = itertools.count()

    def struck(*arguments, **options):
        if next(calls) == 0:
            strike()
        return function(*arguments, **options)

    return struck


if __name__ == "__main__":
    points = {
        "start": (networks, "build_network"),
        "validation": (validation, "validate"),
        "publish": (record, "publish"),
    }
    networks.build_network = tiny_network
    if os.environ.get("KILL_AT"):
        module, name = points[os.environ["KILL_AT"]]
        setattr(module, name, struck_before(getattr(module, name)))
    training.optimise = optimise_and_die
    runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "train.py"), run_name="__main__")
