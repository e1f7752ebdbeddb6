"""What an unfinished training may be taken up by: its own settings, wherever and whenever it runs (rows F13, F16)."""

import json
import os
import shutil
from collections.abc import Callable

from tests.faults.fault_cases import Work, training

DAY = 86400.0
KILLED = {"KILL_AFTER_STEPS": "3", "KILL_WHOM": "self", "KILL_RANK": "0"}
KEPT_FOR_LATER = "checkpoint-"


def finished(trainer, work, **limits):
    status, said = trainer.run(work.words, **limits)
    assert status == 0, said
    return work.result()


def states(work: Work) -> dict[str, list[str]]:
    """What is in each folder of unfinished work, by its name."""
    folders = [path for path in work.folder.glob("state/*") if path.is_dir()]
    return {folder.name: sorted(path.name for path in folder.iterdir()) for folder in folders}


def with_other_classes(work: Work) -> None:
    path = work.folder / "inputs" / "dataset.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"classes": ["background", "tumour"]}))


def with_flag(flag: str, value: float) -> Callable[[Work], None]:
    return lambda work: work.words.extend((flag, value))


EDITS = (with_flag("--learning-rate", 0.02), with_flag("--epochs", 4), with_flag("--noise", 0), with_other_classes)


def test_a_training_of_other_settings_begins_anew_and_is_not_mixed_with_the_old_ones(trainer, tmp_path):
    fresh, edited = (training(tmp_path / name) for name in ("fresh", "edited"))
    before = {}
    for edit in EDITS:  # each is killed before the next edit
        assert trainer.run(edited.words, KILLED)[0] == -9
        assert len(states(edited)) == len(before) + 1
        assert states(edited).items() >= before.items()
        before = states(edited)
        edit(edited)
        edit(fresh)
    assert finished(trainer, edited) == finished(trainer, fresh)
    assert len(states(edited)) == len(EDITS) + 1
    assert states(edited).items() >= before.items()  # and are there for who goes back
    assert all(any(name.startswith(KEPT_FOR_LATER) for name in names) for names in before.values())


def test_a_clock_that_jumps_and_other_times_of_files_change_nothing(trainer, undisturbed, tmp_path):
    work = training(tmp_path / "case")
    trainer.run(work.words, KILLED, clock=-400 * DAY)
    for number, path in enumerate(sorted(work.folder.rglob("*"))):
        os.utime(path, (number * DAY, (-1) ** number * number * DAY + 20_000 * DAY))
    assert finished(trainer, work, clock=400 * DAY) == undisturbed
    assert len(states(work)) == 1


def test_a_copy_goes_on_where_the_original_was(trainer, undisturbed, tmp_path):
    work = training(tmp_path / "case")
    trainer.run(work.words, KILLED)
    shutil.copytree(work.folder, tmp_path / "elsewhere" / "case")
    copied = Work(tmp_path / "elsewhere" / "case", [], training=work.training)
    copied.training.folder = copied.folder
    copied.words = copied.training.command()[1:]
    # Of 12 steps: it would be killed if it began anew.
    status, said = trainer.run(copied.words, KILLED | {"KILL_AFTER_STEPS": "11"})
    assert status == 0, said
    assert copied.result() == undisturbed
