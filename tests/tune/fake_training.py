"""Stands for launch_training.py with train.py: tells scores by its learning rate, or ends as its rate has it.

It knows nothing of torch, so that it starts at once. Asked to stop it ends with status 75, as trainings do.
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from histoloom.errors import InputError, PlaceError, StoppedError, run
from histoloom.train.scores import write_scores

EPOCHS = 3
DIVERGES, NO_MEMORY, NO_ROOM, BREAKS, KILLED, UNDEFINED, SLOW = 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0


def main() -> None:
    flags = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=False))
    rate, scores = float(flags["--learning-rate"]), Path(flags["--scores"])
    (scores.parent / "starts").open("a").write("x")
    if "OVER" in os.environ:
        return
    if rate == NO_MEMORY:
        raise InputError("out of memory: unet with train.batch_size 64;\nexpected a step that fits")
    if rate == NO_ROOM:
        raise PlaceError("no space left: state (No space left on device); expected room for it")
    if rate == BREAKS:
        raise RuntimeError("a bug")
    if rate == KILLED:
        print("error: process 0 was killed (SIGKILL); memory ran out", file=sys.stderr)
        sys.exit(1)
    train(rate, scores)


def train(rate: float, scores: Path) -> None:
    rows = []
    for epoch in range(1, EPOCHS + 1):
        score = float("nan") if rate == UNDEFINED else rate * epoch / 10
        ended = "diverged" if rate == DIVERGES else "finished" if epoch == EPOCHS else ""
        rows.append({"epoch": epoch, "val_score": score, "seconds": 0.5, "best": 1, "ended": ended})
        write_scores(scores, rows, ["a", "b"], np.ones((2, 2, 2), np.int64))
        if ended:
            return
        if rate == SLOW or "SLOW" in os.environ:
            signal.signal(signal.SIGTERM, stop)
            time.sleep(float(os.environ.get("SLOW", "60")))


def stop(*_) -> None:
    raise StoppedError("saved")


if __name__ == "__main__":
    run(main)
