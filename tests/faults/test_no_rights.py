"""Where one may not read or write, that is said in a line or two and nothing is changed (row F9)."""

import pytest

from tests.faults.disks import mounted_read_only, without_rights
from tests.faults.fault_cases import STAGES, training

READ_ONLY = 0o555
UNREADABLE = 0o000


def refused(server, work, word):
    status, said = server.run(work.words, rights=False)
    assert status == 1, said
    assert word in said
    assert "Traceback" not in said
    assert said.startswith("error: ")
    assert len(said.splitlines()) <= 4


@pytest.mark.parametrize("stage", STAGES)
def test_results_that_may_not_be_written_are_told_by_each_stage(stages, tmp_path, stage):
    work = STAGES[stage](tmp_path / "case")
    work.out.mkdir()
    with without_rights(work.out, READ_ONLY), without_rights(work.folder, READ_ONLY):
        refused(stages, work, "Permission denied")
    assert work.result() == {}
    assert work.litter() == []


def test_results_on_a_disk_mounted_read_only_are_told(stages, tmp_path):
    work = STAGES["summarise_scores"](tmp_path / "case")
    with mounted_read_only(work.folder):
        refused(stages, work, "Read-only file system")
    status, said = stages.run(work.words)
    assert status == 0, said


def test_a_state_folder_that_may_not_be_written_is_told_and_training_goes_on_once_it_may(
    trainer, undisturbed, tmp_path
):
    work = training(tmp_path / "case")
    trainer.run(work.words, {"KILL_AFTER_STEPS": "3", "KILL_WHOM": "self", "KILL_RANK": "0"})
    state = next(work.folder.glob("state/*/"))
    with without_rights(state, READ_ONLY):
        refused(trainer, work, "Permission denied")
    with without_rights(state.parent, READ_ONLY):
        refused(trainer, work, "Permission denied")
    assert trainer.run(work.words, rights=False)[0] == 0
    assert work.result() == undisturbed


@pytest.mark.parametrize("stage", ["prepare_dataset", "summarise_scores"])
def test_input_that_may_not_be_read_is_told_by_each_stage(stages, tmp_path, stage):
    work = STAGES[stage](tmp_path / "case")
    with without_rights(work.folder / "in", UNREADABLE):
        refused(stages, work, str(work.folder / "in"))
    assert work.result() == {}


def test_a_temporary_folder_that_is_not_there_is_not_needed(trainer, stages, undisturbed, tmp_path):
    nowhere = {"TMPDIR": str(tmp_path / "nowhere")}
    work = training(tmp_path / "training", loader_workers=2)
    status, said = trainer.run(work.words, nowhere)
    assert status == 0, said
    assert work.result() == undisturbed
    status, said = stages.run(STAGES["predict_slide"](tmp_path / "slide").words, nowhere)
    assert status == 0, said
