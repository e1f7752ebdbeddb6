"""The training of one trial, a process of its own: started, listened to, and asked to end.

Started again in the same folder it goes on where it was, as every training does.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from histoloom.files import atomic_file
from histoloom.flags import flags
from histoloom.train.launching import dying_with
from histoloom.train.scores import Epoch, beside, read_scores

LOG, SCORES = "training.log", "scores.json"
ERROR = "error: "
# How messages begin of what would end every trial alike, and so says nothing of this one's values.
OF_THE_PLACE = ("no space left", "cannot be written", "no access", "another run is at work", "taken over by another")


class Training:
    """A training that runs; `folder` holds all that it leaves.

    `before` is which file of scores lay there when it was started: with another number of processes, or on another
    device, it begins anew, and what an earlier one told is not its own.
    """

    def __init__(self, child: subprocess.Popen, folder: Path, before: tuple[int, int] | None) -> None:
        self._child, self._folder, self._before = child, folder, before

    def status(self, seconds: float) -> int | None:
        """Its exit status; None where it still runs after so many seconds."""
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def stop(self) -> None:
        """Ask it to save and end, and wait for that."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
        self._child.wait()

    def epochs(self) -> list[Epoch]:
        """Its epochs so far, once it has told of one since it was started, or has ended well, being over before."""
        is_its_own = _version(self._folder / SCORES) != self._before or self._child.poll() == 0
        return read_scores(self._folder / SCORES) if is_its_own else []

    def keep_confusions(self, path: Path) -> None:
        """Put the confusion of each image in its best epoch to `path`."""
        with atomic_file(path) as part:
            shutil.copyfile(beside(self._folder / SCORES), part)

    def complaint(self) -> str:
        """The error that it ended with, as it told it; "" where it did not."""
        _, found, message = f"\n{self.said()}".rpartition(f"\n{ERROR}")
        return message.strip() if found else ""

    @property
    def log(self) -> Path:
        """The file with all that it prints."""
        return self._folder / LOG

    def said(self) -> str:
        """All that it printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")


@contextmanager
def started(words: Sequence[str], values: Mapping[str, Mapping[str, Any]], folder: Path) -> Iterator[Training]:
    """Start a training in `folder`, and see that it has ended at the end of the block.

    `words` are the command line of scripts/launch_training.py without what differs between trials: the sections of
    `values`, and where the training writes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    places = {"state": "state", "model": "model.safetensors", "history": "history.csv", "epochs_folder": "epochs"}
    paths = {name: str(folder / place) for name, place in {**places, "scores": SCORES}.items()}
    settings = {key: value for section in values.values() for key, value in section.items()}
    command = [sys.executable, *words, *flags({**paths, **settings})]
    before = _version(folder / SCORES)
    with (folder / LOG).open("wb") as log:
        child = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, preexec_fn=dying_with(os.getpid())  # noqa: PLW1509
        )  # fmt: skip
    training = Training(child, folder, before)
    try:
        yield training
    finally:
        training.stop()


def _version(path: Path) -> tuple[int, int] | None:
    """Tells a file from the one that replaces it, since each is written anew; None where there is none."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def is_of_the_place(complaint: str) -> bool:
    """Whether an error comes of where the training runs, and not of its values.

    >>> is_of_the_place("no space left: state"), is_of_the_place("out of memory: unet with train.batch_size 64")
    (True, False)
    """
    return any(words in complaint for words in OF_THE_PLACE)
