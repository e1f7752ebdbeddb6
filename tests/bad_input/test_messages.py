"""Bad input as a user meets it: each command ends with the words of its document, and leaves nothing half-written.

The documents lie in messages/; golden.py says how they are written anew.
"""

import pytest

from tests.bad_input import golden
from tests.bad_input.case import Case, command_line, files_left, told, told_as_process
from tests.bad_input.cases import archives, config, folds, images, layouts, masks, names, qupath, slides

TABLE: list[Case] = [
    case for part in (images, slides, masks, folds, names, config, archives, layouts, qupath) for case in part.CASES
]
ROWS = [f"B{number}" for number in range(1, 14)]
MOST_LINES = 4


def identity(case: Case) -> str:
    return f"{case.row}: {case.name}"


@pytest.mark.parametrize("case", TABLE, ids=identity)
def test_bad_input_is_told_in_these_words_and_leaves_nothing_half_written(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HISTOLOOM_LIMITS", case.limits)
    case.lay()
    for step in case.before:
        ended = step() if callable(step) else told(command_line(step))[0]
        assert not ended, step
    before = files_left()
    status, text = told(case.command)
    new = {path for path in files_left() - before if path.split("/")[0] not in case.writes}
    shown = case.shows() if case.shows else ""
    order = [other.name for other in TABLE if other.row == case.row]
    assert golden.difference(case, golden.part(case, status, text, shown), order) == ""
    assert status == case.status
    assert not new - set(case.writes)
    assert not [path for path in files_left() if ".part" in path]
    error = text[text.find("error: ") :].rstrip("\n") if "error: " in text else ""
    assert bool(error) == bool(status)
    assert len(error.splitlines()) <= MOST_LINES or case.row == "B10"  # a config's problems are one page


@pytest.mark.parametrize("case", [case for case in TABLE if case.as_process], ids=identity)
def test_a_process_of_its_own_says_the_same(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    case.lay()
    status, text = told_as_process(case.command)
    assert golden.part(case, status, text, "") == golden.read(case.row)[case.name]


def test_the_documents_hold_the_table_and_nothing_else():
    for row in ROWS:
        assert list(golden.read(row)) == [case.name for case in TABLE if case.row == row]
    assert {case.row for case in TABLE} == set(ROWS)
    assert len(TABLE) >= 60
