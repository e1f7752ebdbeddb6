"""The checkpoints of an unfinished training on disk: written whole, found again after any kill.

A checkpoint's name bears the SHA-256 of its bytes, so file and hash become visible in one rename. The newest and the
one before it are kept. The folder is named by the fingerprint of everything that decides the result; it is not an
output that Snakemake declares, since Snakemake deletes those before each retry.
"""

import io
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

from histoloom.errors import InputError, StoppedError
from histoloom.files import atomic_file, digest_of
from histoloom.lease import Lease
from histoloom.train.distributed import Ranks, summed, wait_for_all
from histoloom.train.history import Progress
from histoloom.train.learner import Learner
from histoloom.train.stopping import StopRequest

NAME = re.compile(r"checkpoint-(?P<epoch>\d{6})-(?P<step>\d{8})-(?P<digest>[0-9a-f]{64})\.pt")
KEPT = 2
PARTS = {"fingerprint": str, "learner": dict, "progress": dict}


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
    """The checkpoints of one run: the first rank writes them, all ranks go on from them, and all end after one."""

    folder: Path
    fingerprint: str
    minutes: float  # between checkpoints within an epoch
    ranks: Ranks
    asked: StopRequest = field(default_factory=StopRequest)
    lease: Lease | None = None  # on the folder; the first rank has it
    saved_at: float = field(default_factory=time.monotonic)
    held: tuple[dict, int, int] | None = None  # state, epoch and step where validation began

    def save(self, learner: Learner, progress: Progress) -> None:
        """Write where training stands; every rank has to call it, for each adds its share."""
        self._write(self._state(learner, progress), progress.epoch, progress.step)
        self.held = None

    def after_step(self, learner: Learner, progress: Progress) -> None:
        """Write if the first rank finds that the minutes have passed, or if any rank was asked to stop.

        Raises StoppedError on all ranks in the second case.
        """
        is_due = self.ranks.is_first and time.monotonic() - self.saved_at >= 60 * self.minutes
        flags = torch.tensor([float(is_due), float(bool(self.asked))], device=self.ranks.device)
        due, asked = summed(flags, self.ranks).tolist()
        if due or asked:
            self.save(learner, progress)
        if asked:
            wait_for_all(self.ranks)  # the first rank that ends ends the others, which may be saving still
            raise self._stopped(progress.epoch, progress.step)

    def hold(self, learner: Learner, progress: Progress) -> None:
        """Note what a stop during validation is to save, up to the next save; every rank has to call it."""
        self.held = self._state(learner, progress), progress.epoch, progress.step

    def stop_if_asked(self) -> None:
        """Save what is held and raise StoppedError when this rank was asked to stop.

        For use in validation: ranks may have different numbers of batches there and cannot agree between them, so each
        looks at its own signal; Slurm and torchrun send it to all.
        """
        if self.asked and self.held:
            self._write(*self.held)
            raise self._stopped(*self.held[1:])

    @contextmanager
    def rescuing(self) -> Iterator[None]:
        """Stop as asked also where another rank has stopped before this one, so that an exchange with it fails."""
        try:
            yield
        except RuntimeError:
            self.stop_if_asked()
            raise

    def check_lease(self) -> None:
        """Raise HeldError if another run has taken the folder over, before the first rank writes there; others may."""
        if self.lease is not None:
            self.lease.check()

    def _state(self, learner: Learner, progress: Progress) -> dict:
        return {"fingerprint": self.fingerprint, "learner": learner.state(), "progress": progress.state(self.ranks)}

    def _write(self, state: dict, epoch: int, step: int) -> None:
        if self.ranks.is_first:
            self.check_lease()
            save_checkpoint(self.folder, state, epoch, step)
        self.saved_at = time.monotonic()

    def _stopped(self, epoch: int, step: int) -> StoppedError:
        return StoppedError(
            f"by {self.asked.by or 'a signal to another process'} after step {step} of epoch {epoch}, and saved; "
            "started again it goes on from there"
        )

    def resume(self, learner: Learner) -> tuple[Progress, list[str]]:
        """Put the learner where the newest whole checkpoint left it; its progress, and what there is to warn of.

        Raises InputError for a checkpoint of another fingerprint, or of another network.
        """
        if self.lease is not None:
            _remove_half_written(self.folder)
        state, warnings = load_checkpoint(self.folder, self.fingerprint)
        if self.lease is not None and self.lease.warning:
            warnings.insert(0, self.lease.warning)
        if state is None:
            return Progress(), warnings
        try:
            learner.restore(state["learner"])
        except RuntimeError as error:
            if "loading state_dict" not in str(error):  # of torch, which has no class of its own for it
                raise
            raise InputError(
                f"{self.folder}: its checkpoint does not fit the network; expected weights of its names and shapes "
                f"(code outside histoloom has changed); remove the folder {self.folder} to train afresh"
            ) from error
        return Progress.restored(state["progress"], self.ranks), warnings


def _remove_all_but(newest: Path) -> None:
    def position(path: Path) -> str:
        return path.name.rpartition("-")[0]  # without the digest, which orders nothing

    there = sorted(newest.parent.glob("checkpoint-*.pt"), key=position)
    before = [path for path in there if position(path) < position(newest)]
    for path in set(there) - {newest, *before[1 - KEPT :]}:
        path.unlink()


def _remove_half_written(folder: Path) -> None:
    for part in folder.rglob(".part-*"):  # left by a killed writer
        part.unlink()


def _loaded(payload: bytes) -> dict | None:
    """What the bytes hold, if it is a checkpoint."""
    try:
        state = torch.load(io.BytesIO(payload), weights_only=True, map_location="cpu")
    except Exception:  # the bytes are what was written, so somebody else wrote them; they raise a dozen kinds
        return None
    is_ours = isinstance(state, dict) and all(isinstance(state.get(key), kind) for key, kind in PARTS.items())
    return state if is_ours else None
