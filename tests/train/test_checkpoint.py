"""Checkpoints are whole or passed over, and a state folder serves one run at a time."""

import io
import os
import pickle

import pytest
import torch

from histoloom.errors import HeldError, InputError
from histoloom.lease import Lease
from histoloom.train import checkpoint
from histoloom.train.checkpoint import load_checkpoint, save_checkpoint
from histoloom.train.distributed import Ranks
from histoloom.train.learner import Learner


def state(step: int, fingerprint: str = "abc") -> dict:
    return {"fingerprint": fingerprint, "learner": {"weights": torch.arange(10) * step}, "progress": {"step": step}}


def lay_down(folder, payload: bytes, step: int):
    """A file whose name and digest fit, whatever is in it."""
    path = folder / f"checkpoint-000001-{step:08d}-{checkpoint.digest_of(payload)}.pt"
    path.write_bytes(payload)
    return path


def saved(content) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def test_what_was_saved_comes_back(tmp_path):
    save_checkpoint(tmp_path, state(3), epoch=1, step=3)
    _, loaded, warnings = load_checkpoint(tmp_path, "abc")
    assert loaded["progress"]["step"] == 3
    assert torch.equal(loaded["learner"]["weights"], torch.arange(10) * 3)
    assert warnings == []


def test_an_empty_folder_holds_no_checkpoint(tmp_path):
    assert load_checkpoint(tmp_path, "abc") == (None, None, [])


def test_the_newest_and_the_one_before_it_are_kept(tmp_path):
    for epoch, step in ((1, 2), (1, 10), (2, 0), (10, 0)):
        save_checkpoint(tmp_path, state(step), epoch, step)
    assert sorted(path.name[:26] for path in tmp_path.iterdir()) == [
        "checkpoint-000002-00000000",
        "checkpoint-000010-00000000",
    ]


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty"])
def test_a_damaged_checkpoint_is_passed_over_with_a_warning(tmp_path, damage):
    save_checkpoint(tmp_path, state(1), epoch=1, step=1)
    newest = save_checkpoint(tmp_path, state(2), epoch=1, step=2)
    payload = bytearray(newest.read_bytes())
    if damage == "flip":
        payload[len(payload) // 2] ^= 1
    newest.write_bytes({"truncate": payload[:100], "flip": payload, "empty": b""}[damage])
    _, loaded, warnings = load_checkpoint(tmp_path, "abc")
    assert loaded["progress"]["step"] == 1
    assert len(warnings) == 1
    assert newest.name in warnings[0]


def test_the_state_of_another_run_is_refused(tmp_path):
    save_checkpoint(tmp_path, state(1, "other"), epoch=1, step=1)
    with pytest.raises(InputError, match=r"state of another run.*expected abc; remove the folder"):
        load_checkpoint(tmp_path, "abc")


def test_a_malicious_pickle_is_not_executed_and_the_one_before_it_is_used(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "executed"),)

    save_checkpoint(tmp_path, state(1), epoch=1, step=1)
    evil = lay_down(tmp_path, pickle.dumps({"fingerprint": Evil()}), step=2)
    _, loaded, (warning,) = load_checkpoint(tmp_path, "abc")
    assert loaded["progress"]["step"] == 1
    assert warning.startswith(f"{evil}: no checkpoint of histoloom, passed over and nothing of it was run")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [[1, 2], {"weights": torch.zeros(2)}, state(1) | {"fingerprint": 3}, "abc"])
def test_a_foreign_file_is_passed_over(tmp_path, content):
    lay_down(tmp_path, saved(content), step=2)
    _, loaded, warnings = load_checkpoint(tmp_path, "abc")
    assert loaded is None
    assert len(warnings) == 1
    save_checkpoint(tmp_path, state(1), epoch=1, step=1)
    assert load_checkpoint(tmp_path, "abc")[1]["progress"]["step"] == 1


def test_what_was_passed_over_does_not_push_out_what_is_written_then(tmp_path):
    for step in (8, 9):
        lay_down(tmp_path, b"foreign", step)
    for step in (1, 2):
        save_checkpoint(tmp_path, state(step), epoch=1, step=step)
    assert [path.name[:26] for path in sorted(tmp_path.iterdir())] == [
        "checkpoint-000001-00000001",
        "checkpoint-000001-00000002",
    ]
    assert load_checkpoint(tmp_path, "abc")[1]["progress"]["step"] == 2


class Losable:
    """A lease that another host takes over when told to."""

    warning = "it was dead"

    def check(self):
        if hasattr(self, "is_lost"):
            raise HeldError("lost")


def checkpoints(folder):
    one = Ranks(0, 1, torch.device("cpu"))
    return checkpoint.Checkpoints(folder, "abc", 10.0, one, lease=Losable.__new__(type("_", (Losable, Lease), {})))


def test_what_a_killed_writer_left_is_removed_and_a_dead_holder_is_told_of(tmp_path):
    (tmp_path / "epochs").mkdir()
    (tmp_path / "epochs" / ".part-xyz.png").write_bytes(b"half")
    _, warnings = checkpoints(tmp_path).resume(object.__new__(Learner))
    assert not list(tmp_path.rglob(".part-*"))
    assert warnings == ["it was dead"]


def test_a_run_that_lost_its_lease_writes_no_checkpoint(tmp_path):
    run = checkpoints(tmp_path)
    run._write(state(1), 1, 1)
    before = sorted(tmp_path.iterdir())
    run.lease.is_lost = True
    with pytest.raises(HeldError, match="lost"):
        run._write(state(2), 1, 2)
    assert sorted(tmp_path.iterdir()) == before
    assert len(before) == 1
