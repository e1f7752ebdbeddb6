"""What an unfinished training may be taken up by: its own settings, wherever and whenever it runs (rows F13, F16)."""

import json
import os
import shutil

import pytest

from tests.faults.fault_cases import Work, training

DAY = 86400.0
KILLED = {"KILL_AFTER_STEPS": "3", "KILL_WHOM": "self", "KILL_RANK": "0"}
KEPT_FOR_LATER = "checkpoint-"


def finished(trainer, work, **limits):
    status, said = trainer.run(work.words, **limits)
    assert status == 0, said
    return work.result()


def with_other_classes(work: Work) -> None:
    path = work.folder / "inputs" / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"classes": ["background", "tumour"]}))


@pytest.mark.parametrize(
    "changed",
    [{"learning-rate": 0.02}, {"epochs": 4}, {"noise": 0}, "classes"],
    ids=["learning rate", "more epochs", "augmentation", "classes"],
)
def test_a_training_of_other_settings_begins_anew_and_is_not_mixed_with_the_old_one(trainer, tmp_path, changed):
    works = [training(tmp_path / name) for name in ("fresh", "edited")]
    assert trainer.run(works[1].words, KILLED)[0] == -9
    (before,) = [path for path in works[1].folder.glob("state/*") if path.is_dir()]
    kept = sorted(path.name for path in before.iterdir())
    for work in works:
        if changed == "classes":
            with_other_classes(work)
        else:
            work.words += [word for key, value in changed.items() for word in (f"--{key}", value)]
    assert finished(trainer, works[1]) == finished(trainer, works[0])
    assert sorted(path.name for path in before.iterdir()) == kept  # and is there for who goes back
    assert any(name.startswith(KEPT_FOR_LATER) for name in kept)


def test_a_clock_that_jumps_and_other_times_of_files_change_nothing(trainer, undisturbed, tmp_path):
    work = training(tmp_path / "case")
    trainer.run(work.words, KILLED, clock=-400 * DAY)
    for number, path in enumerate(sorted(work.folder.rglob("*"))):
        os.utime(path, (number * DAY, (-1) ** number * number * DAY + 20_000 * DAY))
    assert finished(trainer, work, clock=400 * DAY) == undisturbed
    assert len([path for path in work.folder.glob("state/*") if path.is_dir()]) == 1


def test_a_copy_goes_on_where_the_original_was(trainer, undisturbed, tmp_path):
    work = training(tmp_path / "case")
    trainer.run(work.words, KILLED)
    shutil.copytree(work.folder, tmp_path / "elsewhere" / "case")
    copied = Work(tmp_path / "elsewhere" / "case", [], training=work.training)
    copied.training.folder = copied.folder
    copied.words = copied.training.command()[1:]
    steps = {
        "KILL_AFTER_STEPS": "11",
        "KILL_WHOM": "self",
        "KILL_RANK": "0",
    }  # of 12: it would be killed if it began anew
    status, said = trainer.run(copied.words, steps)
    assert status == 0, said
    assert copied.result() == undisturbed
