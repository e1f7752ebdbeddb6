"""scripts/predict_slide.py again and again, killed by SIGKILL after so many writes each time, then left to end.

KILL_AFTER_WRITES: numbers; a last run is not killed. Prints one line of JSON for each run. Runs are
forked before torch has computed anything, which saves the import of torch in each.
"""

import itertools
import json
import os
import runpy
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from histoloom.slides.band_store import BandStore


def dying_write(kill_after: int | None) -> Callable[..., None]:
    """BandStore.write, but for the one after so many, which dies within."""
    write, done = BandStore.write, itertools.count()

    def write_or_die(store: BandStore, band: int, values: np.ndarray) -> None:
        if next(done) == kill_after:
            (store.folder / ".part-killed").write_bytes(b"half a band")  # as a killed writer leaves it
            os.kill(os.getpid(), signal.SIGKILL)
        write(store, band, values)

    return write_or_die


if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    words = dict(zip(sys.argv, sys.argv[1:], strict=False))
    finals = [Path(words["--probabilities"]), Path(words["--maps"])]
    for kill_after in [*map(int, os.environ["KILL_AFTER_WRITES"].split()), None]:
        child = os.fork()
        if child == 0:
            torch.set_num_threads(1)
            BandStore.write = dying_write(kill_after)
            runpy.run_path(sys.argv[0], run_name="__main__")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status), "final": [path.exists() for path in finals]}))
