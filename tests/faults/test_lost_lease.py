"""A training that was paused while another host took its state over ends without writing anything more."""

import torch

from histoloom.lease_holder import holder_of
from histoloom.train import checkpoint
from tests.scripts_run import outcome
from tests.train.training_case import make_case


def test_a_training_that_lost_its_lease_ends_with_status_3_and_publishes_nothing(tmp_path, monkeypatch, capsys):
    torch.set_num_threads(1)
    case = make_case(tmp_path, loader_workers=0)
    save, saved = checkpoint.save_checkpoint, []

    def save_and_lose(folder, state, epoch, step):
        saved.append(save(folder, state, epoch, step))
        lease = folder.with_name(f"{folder.name}.lease")
        mine = lease.read_bytes()
        token = holder_of(mine).token.encode()
        lease.write_bytes(mine.replace(token, token[::-1]))

    monkeypatch.setattr(checkpoint, "save_checkpoint", save_and_lose)
    assert outcome(["scripts/train.py", *case.flags()]) == "3"
    assert ": taken over by another run (user " in capsys.readouterr().err
    assert len(saved) == 1
    (folder,) = case.folder.glob("state/*/")
    assert list(folder.glob("checkpoint-*")) == saved
    assert not case.outputs["model"].exists()
    assert folder.with_name(f"{folder.name}.lease").exists()  # the other's
