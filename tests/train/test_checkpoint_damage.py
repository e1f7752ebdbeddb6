"""Damaged, foreign and malicious checkpoints, and writers killed at any time: the newest whole one is gone on from.

HISTOLOOM_KILLS says how many writers are killed, 20 where it is not set.
"""

import io
import os
import pickle
import random
import signal
import time
from dataclasses import replace

import pytest
import torch
from torch import nn

from histoloom.errors import InputError
from histoloom.lease import leased
from histoloom.train.checkpoint import Checkpoints, digest_of, save_checkpoint
from histoloom.train.distributed import Ranks
from histoloom.train.history import Progress
from histoloom.train.learner import Learner
from tests.train.data.test_batches import settings

ALONE = Ranks(0, 1, torch.device("cpu"))
KILLS = int(os.environ.get("HISTOLOOM_KILLS", "20"))
PASSED_OVER = "going on from the one before it"


pytestmark = pytest.mark.usefixtures("one_thread")


def learner(width: int = 2) -> Learner:
    network = nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width))
    return Learner.of(network, replace(settings(), ema_decay=0.0), ALONE, torch.float32)


def save(folder, step: int, fingerprint: str = "abc", width: int = 2):
    """A checkpoint after that step of the first epoch, whose every parameter is the step."""
    saved, progress = learner(width), Progress()
    progress.step = step
    with torch.no_grad():
        for parameter in saved.parameters:
            parameter.fill_(step)
    Checkpoints(folder, fingerprint, 10.0, ALONE).save(saved, progress)
    return next(folder.glob(f"checkpoint-*-{step:08d}-*.pt"))


def resumed(folder, width: int = 2) -> tuple[int, list[str]]:
    """The step that training goes on from, 0 for none, and what is said; the weights must be those of the step."""
    into = learner(width)
    before = [parameter.clone() for parameter in into.parameters]
    progress, warnings = Checkpoints(folder, "abc", 10.0, ALONE).resume(into)
    for parameter, initial in zip(into.parameters, before, strict=True):
        expected = torch.full_like(initial, progress.step) if progress.step else initial
        assert torch.equal(parameter, expected)
    return progress.step, warnings


@pytest.fixture
def two(tmp_path):
    """Two checkpoints; the path of the newer one, and its bytes."""
    save(tmp_path, 1)
    newest = save(tmp_path, 2)
    assert resumed(tmp_path) == (2, [])
    return newest, newest.read_bytes()


def assert_one_before_is_used(newest) -> None:
    step, warnings = resumed(newest.parent)
    assert step == 1
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{newest}: damaged checkpoint passed over; {PASSED_OVER}")


def test_truncated_anywhere_the_one_before_is_used_and_that_is_said(two):
    newest, whole = two
    directory = whole.index(b"PK\x01\x02")  # of the zip archive; its end record is 22 bytes
    classes = [0, 1, 3, 4, 29, 30, 64, 100, len(whole) // 2, directory - 1, directory, directory + 4]
    ends = [len(whole) - 23, len(whole) - 22, len(whole) - 21, len(whole) - 2, len(whole) - 1]
    chance = random.Random(0)
    for kept in [*classes, *ends, *(chance.randrange(len(whole)) for _ in range(50))]:
        newest.write_bytes(whole[:kept])
        assert_one_before_is_used(newest)
    newest.write_bytes(whole)
    assert resumed(newest.parent) == (2, [])


def test_with_a_bit_flipped_anywhere_the_one_before_is_used_and_that_is_said(two):
    newest, whole = two
    chance = random.Random(0)
    for place in [0, len(whole) - 1, *(chance.randrange(len(whole)) for _ in range(60))]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << chance.randrange(8)
        newest.write_bytes(damaged)
        assert_one_before_is_used(newest)


@pytest.mark.parametrize("damage", ["zeros", "longer", "the one before", "another name"])
def test_what_does_not_fit_its_name_is_passed_over(two, damage):
    newest, whole = two
    (before,) = set(newest.parent.glob("checkpoint-*.pt")) - {newest}
    contents = {"zeros": bytes(len(whole)), "longer": whole + b"\0", "the one before": before.read_bytes()}
    newest.write_bytes(contents.get(damage, whole))
    if damage == "another name":
        newest = newest.rename(newest.with_name("checkpoint-last.pt"))
    assert_one_before_is_used(newest)


def test_with_both_damaged_training_starts_afresh_and_both_are_named(two):
    newest, _ = two
    for path in newest.parent.glob("checkpoint-*.pt"):
        path.write_bytes(path.read_bytes()[:-1])
    step, warnings = resumed(newest.parent)
    assert step == 0
    assert len(warnings) == 2
    save(newest.parent, 3)  # and what is written then counts
    assert resumed(newest.parent)[0] == 3


def test_a_checkpoint_of_another_training_is_refused_with_the_folder_to_remove(two):
    newest, _ = two
    save(newest.parent, 3, fingerprint="other", width=5)
    with pytest.raises(InputError, match=rf"state of another run \(fingerprint other\).*remove .*{newest.parent}"):
        resumed(newest.parent)


def test_a_checkpoint_of_another_network_that_claims_to_be_of_this_training_is_refused(two):
    # It happens where a network's package changed without its fingerprint, see docs/architectures.md.
    newest, _ = two
    save(newest.parent, 3, width=5)
    with pytest.raises(InputError, match=rf"does not fit the network; expected .*; remove the folder {newest.parent}"):
        resumed(newest.parent)


class Trap:
    def __init__(self, marker) -> None:
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def malicious(marker, kind: int | str) -> bytes:
    trap = Trap(marker)
    if isinstance(kind, int):
        return pickle.dumps({"fingerprint": "abc", "learner": trap, "progress": {}}, kind)
    buffer = io.BytesIO()
    content = trap if kind == "alone" else {"fingerprint": "abc", "learner": {"network": trap}, "progress": {}}
    torch.save(content, buffer, _use_new_zipfile_serialization=kind != "old")
    return buffer.getvalue()


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4, 5, "alone", "within", "old"])
@pytest.mark.parametrize("fits", [True, False])
def test_a_malicious_pickle_is_never_run_whether_its_digest_fits_or_not(two, kind, fits):
    newest, _ = two
    folder, marker = newest.parent, newest.parent / "run"
    payload = malicious(marker, kind)
    digest = digest_of(payload) if fits else "0" * 64
    evil = folder / f"checkpoint-000001-00000003-{digest}.pt"
    evil.write_bytes(payload)
    step, (said,) = resumed(folder)
    assert step == 2
    assert said.startswith(f"{evil}: {'no checkpoint of histoloom' if fits else 'damaged checkpoint'}")
    assert said.endswith(PASSED_OVER)
    for path in set(folder.glob("checkpoint-*")) - {evil}:
        path.unlink()
    assert resumed(folder)[0] == 0
    assert not marker.exists()
    if isinstance(kind, int):  # and the trap does work
        pickle.loads(payload)
        assert marker.exists()


def write(folder, step: int) -> None:
    saved, progress = learner(), Progress()
    progress.step = step
    with torch.no_grad():
        for parameter in saved.parameters:
            parameter.fill_(step)
    ballast = {"ballast": torch.rand(10**6)}  # 4 MB, so that most of the time is spent in writing
    state = {"fingerprint": "abc", "learner": saved.state() | ballast, "progress": progress.state(ALONE)}
    save_checkpoint(folder, state, progress.epoch, step)


def write_for_ever(folder, start: int, told: int) -> None:
    """Save step after step, and tell each that is saved."""
    for step in range(start + 1, start + 10**6):
        write(folder, step)
        os.write(told, step.to_bytes(4, "little"))


def killed_writer(folder, start: int, seconds: float, within_a_write: bool) -> int:
    """Fork a writer and kill it after so long, or when it writes next then; the last step that it told."""
    read, write = os.pipe()
    writer = os.fork()
    if writer == 0:
        try:
            write_for_ever(folder, start, write)
        finally:
            os._exit(1)
    os.close(write)
    time.sleep(seconds)
    while within_a_write and not list(folder.glob(".part-*")):
        assert os.waitpid(writer, os.WNOHANG) == (0, 0)
    os.kill(writer, signal.SIGKILL)
    _, status = os.waitpid(writer, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    with open(read, "rb") as pipe:  # noqa: PTH123
        told = pipe.read()
    return int.from_bytes(told[-4:], "little") if told else start


def test_killed_at_any_time_a_writer_leaves_what_it_had_saved_whole(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    began = time.monotonic()
    write(folder, 1)
    pace = time.monotonic() - began  # so that a busy machine gets as far between two kills as an idle one
    chance, step, halves = random.Random(0), 1, 0
    for kill in range(KILLS):
        told = killed_writer(folder, step, chance.uniform(0, min(4 * pace, 1)), within_a_write=kill % 2 == 1)
        halves += bool(list(folder.glob(".part-*")))
        with leased(folder) as lease:
            progress, warnings = Checkpoints(folder, "abc", 10.0, ALONE, lease=lease).resume(learner())
        assert warnings == []
        assert told <= progress.step <= told + 1  # the last may have been in place before it was told
        assert resumed(folder)[0] == progress.step
        assert list(folder.glob(".part-*")) == []
        step = progress.step
    print(f"{KILLS} kills, {halves} within a write, after {step} checkpoints in all: none unreadable, none lost")
    assert halves > 0
    assert step > 1
    save(folder, step + 1)  # which removes what kills left between the writing of one and the removal of older ones
    assert len(list(folder.glob("checkpoint-*"))) == 2
