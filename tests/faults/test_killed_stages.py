"""A stage that is killed at a random time shows nothing half done, and started again ends in the same bytes (row F15).

HISTOLOOM_KILLS: how often each is killed, once if not given; HISTOLOOM_SEED: of the times.
"""

import os
import random
import signal
import time

import pytest

from tests.faults.fault_cases import STAGES

KILLS = int(os.environ.get("HISTOLOOM_KILLS", "1"))


@pytest.mark.parametrize("stage", STAGES)
def test_killed_at_any_time_it_shows_nothing_half_done_and_ends_in_the_same_bytes(
    stages, undisturbed_stage, tmp_path, stage
):
    draw = random.Random(f"{os.environ.get('HISTOLOOM_SEED', '0')} {stage}")
    expected, seconds = undisturbed_stage(stage)
    work = STAGES[stage](tmp_path / "killed")
    kills = 0
    while kills < KILLS:
        run = stages.start(work.words)
        time.sleep(draw.uniform(0, seconds))
        run.send(signal.SIGKILL, to_group=True)
        kills += run.wait() == -signal.SIGKILL
        assert not work.is_partial(expected)
        assert run.left_running() == []
    assert stages.run(work.words)[0] == 0
    assert work.result() == expected
    assert work.litter() == []
