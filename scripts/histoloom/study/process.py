"""What the process that plans a study sets for itself and hands to every job it starts."""

import gc
import os
import sys
from collections.abc import Mapping

from histoloom.limits import VARIABLE, as_text


def set_up(limits: Mapping[str, int]) -> None:
    """Set the environment of jobs, and how often this process looks for garbage.

    The scripts run on the Python that runs Snakemake, also where its environment was not activated. Limits go through
    the environment, since a limit that is raised must not make finished work run again. A plan makes millions of
    objects and no garbage: to look for it as often as Python does by itself took a seventh of the time.
    """
    os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), *os.get_exec_path()])  # noqa: PTH120
    os.environ[VARIABLE] = as_text(limits)
    gc.set_threshold(50_000, 20, 100)
