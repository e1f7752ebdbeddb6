"""The state of an unfinished training on disk: leased to one run, written whole, found again after any kill.

A checkpoint's name bears the SHA-256 of its bytes, so file and hash become visible in one rename. The newest and the
one before it are kept. The folder is named by the fingerprint of everything that decides the result; it is not an
output that Snakemake declares, since Snakemake deletes those before each retry.
"""

import fcntl
import io
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import torch

from histoloom.errors import InputError
from histoloom.files import atomic_file, digest_of
from histoloom.train.distributed import Ranks, summed
from histoloom.train.history import Progress
from histoloom.train.learner import Learner

NAME = re.compile(r"checkpoint-(?P<epoch>\d{6})-(?P<step>\d{8})-(?P<digest>[0-9a-f]{64})\.pt")
KEPT = 2
PARTS = {"fingerprint": str, "learner": dict, "progress": dict}
LEASE_WAIT_SECONDS = 10.0  # loader workers of a killed run inherit its lease and need some seconds to notice


@contextmanager
def leased(folder: Path) -> Iterator[None]:
    """Hold the folder for this process alone; the kernel frees it when the process dies, however it dies.

    Raises InputError, naming the holder, when another run has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lease.json").open("a+", encoding="utf-8") as lease:
        if not _locked_within(lease, LEASE_WAIT_SECONDS):
            lease.seek(0)
            raise InputError(
                f"{folder}: another run is training here ({lease.read().strip()}); expected a free state folder; "
                "wait for it or stop it"
            )
        lease.truncate(0)
        lease.write(json.dumps(_holder()))
        lease.flush()
        for part in folder.rglob(".part-*"):  # left by a killed writer
            part.unlink()
        yield


def save_checkpoint(folder: Path, state: dict, epoch: int, step: int) -> Path:
    """Write `state` (tensors and plain values) after `step` steps of `epoch`.

    The one before it stays. Older ones go, and so do later ones, which were passed over when training resumed.
    """
    buffer = io.BytesIO()  # torch.save straight to a full disk destroys the file and hides the reason
    torch.save(state, buffer)
    payload = buffer.getbuffer()
    path = folder / f"checkpoint-{epoch:06d}-{step:08d}-{digest_of(payload)}.pt"
    with atomic_file(path) as part:
        part.write_bytes(payload)
    _remove_all_but(path)
    return path


def load_checkpoint(folder: Path, fingerprint: str) -> tuple[dict | None, list[str]]:
    """The newest checkpoint that is whole, or None, and a warning for each damaged or foreign one passed over.

    Raises InputError when the checkpoint belongs to another fingerprint. Nothing in the file is executed.
    """
    warnings = []
    for path in sorted(folder.glob("checkpoint-*.pt"), reverse=True):
        match = NAME.fullmatch(path.name)
        payload = path.read_bytes()
        if match is None or digest_of(payload) != match["digest"]:
            warnings.append(f"{path}: damaged checkpoint passed over; going on from the one before it")
            continue
        state = _loaded(payload)
        if state is None:
            warnings.append(
                f"{path}: no checkpoint of histoloom, passed over and nothing of it was run; going on from the one "
                "before it"
            )
            continue
        if state["fingerprint"] != fingerprint:
            raise InputError(
                f"{path}: state of another run (fingerprint {state['fingerprint']}); expected {fingerprint}; "
                f"remove the folder {folder} to train afresh"
            )
        return state, warnings
    return None, warnings


@dataclass
class Checkpoints:
    """The checkpoints of one run: the first rank writes them, all ranks go on from them."""

    folder: Path
    fingerprint: str
    minutes: float  # between checkpoints within an epoch
    ranks: Ranks
    saved_at: float = field(default_factory=time.monotonic)

    def save(self, learner: Learner, progress: Progress) -> None:
        """Write where training stands; every rank has to call it, for each adds its share."""
        state = {"fingerprint": self.fingerprint, "learner": learner.state(), "progress": progress.state(self.ranks)}
        if self.ranks.is_first:
            save_checkpoint(self.folder, state, progress.epoch, progress.step)
        self.saved_at = time.monotonic()

    def save_if_due(self, learner: Learner, progress: Progress) -> None:
        """Write if the first rank finds that the minutes have passed."""
        due = torch.tensor(
            float(self.ranks.is_first and time.monotonic() - self.saved_at >= 60 * self.minutes),
            device=self.ranks.device,
        )
        if summed(due, self.ranks) > 0:
            self.save(learner, progress)

    def resume(self, learner: Learner) -> tuple[Progress, list[str]]:
        """Put the learner where the newest whole checkpoint left it; its progress, and warnings of damaged ones."""
        state, warnings = load_checkpoint(self.folder, self.fingerprint)
        if state is None:
            return Progress(), warnings
        learner.restore(state["learner"])
        return Progress.restored(state["progress"], self.ranks), warnings


def _remove_all_but(newest: Path) -> None:
    def position(path: Path) -> str:
        return path.name.rpartition("-")[0]  # without the digest, which orders nothing

    there = sorted(newest.parent.glob("checkpoint-*.pt"), key=position)
    before = [path for path in there if position(path) < position(newest)]
    for path in set(there) - {newest, *before[1 - KEPT :]}:
        path.unlink()


def _loaded(payload: bytes) -> dict | None:
    """What the bytes hold, if it is a checkpoint."""
    try:
        state = torch.load(io.BytesIO(payload), weights_only=True, map_location="cpu")
    except Exception:  # the bytes are what was written, so somebody else wrote them; they raise a dozen kinds
        return None
    is_ours = isinstance(state, dict) and all(isinstance(state.get(key), kind) for key, kind in PARTS.items())
    return state if is_ours else None


def _locked_within(lease: io.TextIOWrapper, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)


def _holder() -> dict[str, str | int]:
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "job": os.environ.get("SLURM_JOB_ID", "none"),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
