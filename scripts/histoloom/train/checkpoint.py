"""The checkpoints of an unfinished training on disk: written whole, found again after any kill.

A checkpoint's name bears the SHA-256 of its bytes, so file and hash become visible in one rename. The newest and the
one before it are kept. The folder is named by the fingerprint of everything that decides the result; it is not an
output that Snakemake declares, since Snakemake deletes those before each retry.
"""

import io
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch

from histoloom.errors import InputError, StoppedError
from histoloom.files import atomic_file, digest_of
from histoloom.lease import Lease
from histoloom.train.distributed import Ranks, from_first, summed, wait_for_all
from histoloom.train.history import Progress
from histoloom.train.learner import Learner
from histoloom.train.stopping import StopRequest

NAME = re.compile(r"checkpoint-(?P<epoch>\d{6})-(?P<step>\d{8})-(?P<digest>[0-9a-f]{64})\.pt")
KEPT = 2
SEEN_SECONDS = 120.0  # NFS shows what another machine has made within a minute
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


def load_checkpoint(folder: Path, fingerprint: str) -> tuple[Path | None, dict | None, list[str]]:
    """The newest checkpoint that is whole, or None, what it holds, and a warning for each bad one passed over.

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
        return path, state, warnings
    return None, None, warnings


def await_checkpoint(path: Path, seconds: float = SEEN_SECONDS) -> dict:
    """What a checkpoint holds that another process has found whole; its disk may show it later to this machine.

    Raises InputError where it has not come within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        with suppress(OSError):
            payload = path.read_bytes()
            if digest_of(payload) == NAME.fullmatch(path.name)["digest"] and (state := _loaded(payload)) is not None:
                return state
        if time.monotonic() > deadline:
            raise InputError(
                f"{path}: not there, or not whole, {seconds:g} s after another process of this training has read it; "
                "expected all nodes to see the same files;\nkeep results on a disk that they share, and start again"
            )
        time.sleep(1)


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
        due, asked = self._told_by_any(is_due, bool(self.asked))
        if due or asked:
            self.save(learner, progress)
        if asked:
            raise self._stopped(progress.epoch, progress.step)

    def hold(self, learner: Learner, progress: Progress) -> None:
        """Note what a stop during validation is to save, up to the next save; every rank has to call it."""
        self.held = self._state(learner, progress), progress.epoch, progress.step

    def stop_if_asked(self) -> None:
        """Save what is held and raise StoppedError on all ranks when any was asked to stop; all have to call it."""
        (asked,) = self._told_by_any(bool(self.asked))
        if asked:
            assert self.held, "hold comes first"
            self._write(*self.held)
            raise self._stopped(*self.held[1:])

    def _chosen_by_first(self) -> tuple[dict | None, list[str]]:
        # Each for itself, nodes that see a shared disk at different times would go on from different steps.
        path, state, warnings = None, None, []
        if self.ranks.is_first:
            path, state, warnings = load_checkpoint(self.folder, self.fingerprint)
        name = from_first(path.name if path else "", self.ranks)
        if name and not self.ranks.is_first:
            state = await_checkpoint(self.folder / name)
        return state, warnings

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
        wait_for_all(self.ranks)  # the first rank that ends ends the others, of which the first may be writing still
        self.saved_at = time.monotonic()

    def _told_by_any(self, *flags: bool) -> list[bool]:
        told = summed(torch.tensor(flags, dtype=torch.float32, device=self.ranks.device), self.ranks)
        return [count > 0 for count in told.tolist()]  # one copy to the host, since each waits for the device

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
        state, warnings = self._chosen_by_first()
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
