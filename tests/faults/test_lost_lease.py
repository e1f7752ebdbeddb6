"""A training that was paused while another host took its state over ends without writing anything more."""

import signal

import psutil

from histoloom.lease_holder import holder_of
from tests.faults.fault_cases import training
from tests.faults.test_two_at_once import HELD, STOPPED_AFTER_TWO_STEPS


def test_a_training_that_lost_its_lease_ends_with_status_3_and_publishes_nothing(trainer, tmp_path):
    work = training(tmp_path / "case", loader_workers=0)
    run = trainer.start(work.words, STOPPED_AFTER_TWO_STEPS)
    while psutil.Process(run.pid).status() != psutil.STATUS_STOPPED:
        assert not run.has_ended(0.01), run.said()
    (lease,) = work.folder.glob("state/*.lease")
    before = sorted(lease.with_suffix("").rglob("*"))
    mine = lease.read_bytes()
    token = holder_of(mine).token.encode()
    others = mine.replace(token, token[::-1])
    lease.write_bytes(others)
    run.send(signal.SIGCONT)
    assert run.wait() == HELD, run.said()
    assert ": taken over by another run (user " in run.said()
    assert "Traceback" not in run.said()
    assert [path.name for path in before if path.name.startswith("checkpoint-")]
    assert sorted(lease.with_suffix("").rglob("*")) == before
    assert not work.out.exists()
    assert lease.read_bytes() == others  # and goes on
