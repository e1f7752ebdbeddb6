"""Asked to stop: by Slurm (scancel, time limit, preemption), by its early warning, or by Ctrl-C.

A signal sets a flag and nothing else. Training looks at it between two steps, saves, and ends with a status that has
the workflow or Slurm start it again.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


@dataclass
class StopRequest:
    """Whether this process was asked to stop: `by` is the name of the first signal, "" before there was one."""

    by: str = ""

    def __bool__(self) -> bool:
        return bool(self.by)


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Take note of the signals that ask for an end; afterwards they mean what they meant before.

    A signal that is repeated says nothing new: torchrun passes on what a terminal has sent to all of them already.
    """
    request = StopRequest()

    def note(number: int, _: FrameType | None) -> None:
        request.by = request.by or signal.Signals(number).name

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
