"""scripts/train.py, but for a SIGKILL that this process sends to itself or to its agent after so many steps.

KILL_AFTER_STEPS: the step; KILL_RANK: which rank; KILL_WHOM: self or agent.
"""

import os
import runpy
import signal
from pathlib import Path

from histoloom import training

optimise = training.optimise
done = 0


def optimise_and_die(*arguments):
    global done  # noqa: PLW0603
    result = optimise(*arguments)
    done += 1
    if done == int(os.environ["KILL_AFTER_STEPS"]) and os.environ.get("RANK", "0") == os.environ["KILL_RANK"]:
        os.kill(os.getpid() if os.environ["KILL_WHOM"] == "self" else os.getppid(), signal.SIGKILL)
    return result


if __name__ == "__main__":
    training.optimise = optimise_and_die
    runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "train.py"), run_name="__main__")
