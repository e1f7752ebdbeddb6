"""scripts/train.py with a clock on its parts: writes when each step ended, and where the time went, as JSON.

    python benchmarks/training_watched.py CLOCK.json STEPS [flags of scripts/train.py]

The training is the script's own: functions are wrapped before it imports them. With STEPS above 0 the process ends
after so many steps. Times are of time.monotonic, which all processes of a machine share.
"""

import atexit
import functools
import json
import os
import runpy
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import torch

from histoloom import networks
from histoloom.train import checkpoint, probes, training, validation
from histoloom.train.data import batches

WATCHED = (
    (training, "train_one_epoch", "logging"),  # what an epoch does besides the parts below
    (validation, "validate", "validation"),
    (validation, "predicted_classes", "saving"),
    (probes, "write_epoch", "saving"),
    (networks, "save_model", "saving"),
    (checkpoint.Checkpoints, "save", "saving"),
    (torch.Tensor, "backward", "backward"),
)


class Clock:
    """Seconds of each part without the parts inside it, and when steps ended."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.ends: list[float] = []
        self.epoch_began: list[float] = []
        self.finished = 0.0
        self._open: list[list[float]] = []  # of each part that is open: when it began, seconds of the parts inside it

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time of this block as `name`."""
        self.begin()
        try:
            yield
        finally:
            self.end(name)

    def begin(self) -> None:
        """Open a part."""
        self._open.append([time.monotonic(), 0.0])

    def end(self, name: str) -> None:
        """Close the part that was opened last."""
        began, inner = self._open.pop()
        took = time.monotonic() - began
        self.seconds[name] += took - inner
        if self._open:
            self._open[-1][1] += took

    def write(self, path: Path) -> None:
        """All of it, with the GPU's memory at its fullest."""
        memory = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0
        fields = {name: getattr(self, name) for name in ("seconds", "ends", "epoch_began", "finished")}
        path.write_text(json.dumps({**fields, "gpu_mib": memory}), encoding="utf-8")


def main() -> None:
    path, steps = Path(sys.argv[1]), int(sys.argv[2])
    clock = Clock()
    if os.environ.get("RANK", "0") == "0":
        atexit.register(clock.write, path)
    for owner, name, part in WATCHED:
        setattr(owner, name, timed(getattr(owner, name), clock, part))
    training.train_one_epoch = noted(training.train_one_epoch, clock)
    training.optimise = watched_step(training.optimise, clock, steps)
    batches.training_loader = watched_loader(batches.training_loader, clock)
    sys.argv[:] = [str(ROOT / "scripts" / "train.py"), *sys.argv[3:]]
    runpy.run_path(sys.argv[0], run_name="__main__")


def timed(function: Callable, clock: Clock, part: str) -> Callable:
    @functools.wraps(function)
    def with_clock(*arguments, **options):
        with clock.part(part):
            result = function(*arguments, **options)
        clock.finished = time.monotonic()
        return result

    return with_clock


def noted(train_one_epoch: Callable, clock: Clock) -> Callable:
    def with_note(*arguments):
        clock.epoch_began.append(time.monotonic())
        return train_one_epoch(*arguments)

    return with_note


def watched_step(optimise: Callable, clock: Clock, steps: int) -> Callable:
    """Note each step's end; "step" is what it does besides the network's forward and backward and the optimiser."""

    def with_clock(learner, *arguments, **options):
        if not clock.ends:
            learner.parallel.register_forward_pre_hook(lambda *_: clock.begin())
            learner.parallel.register_forward_hook(lambda *_: clock.end("forward"))
            learner.optimizer.register_step_pre_hook(lambda *_: clock.begin())
            learner.optimizer.register_step_post_hook(lambda *_: clock.end("optimiser"))
        with clock.part("step"):
            result = optimise(learner, *arguments, **options)
        clock.ends.append(time.monotonic())
        if len(clock.ends) == steps:
            raise SystemExit(0)
        return result

    return with_clock


def watched_loader(training_loader: Callable, clock: Clock) -> Callable:
    class Watched:
        """A loader whose batches are waited for by the clock."""

        def __init__(self, loader: Iterable) -> None:
            self.loader = loader

        def __iter__(self) -> Iterator:
            with clock.part("loading"):
                waiting = iter(self.loader)
            while True:
                with clock.part("loading"):
                    batch = next(waiting, None)
                if batch is None:
                    return
                yield batch

    return lambda *arguments, **options: Watched(training_loader(*arguments, **options))


if __name__ == "__main__":
    main()
