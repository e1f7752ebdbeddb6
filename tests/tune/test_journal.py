"""The journal of a study: whole lines or none, whatever becomes of its writer or its disk."""

import json
import os

import pytest

from histoloom.errors import InputError, PlaceError
from histoloom.tune.journal import Journal, opened
from tests.faults.disks import filled, small_disk
from tests.tune.fake_study import SEARCHES, outcome, run_study
from tests.tune.fake_study import opened as opened_study

TOTAL = 2


def test_a_study_whose_journal_was_cut_at_any_byte_ends_as_one_that_was_not(tmp_path):
    whole = run_study(tmp_path / "whole", SEARCHES["random"], TOTAL)
    content = (tmp_path / "whole" / "journal.log").read_bytes()
    ends = [place + 1 for place, byte in enumerate(content) if byte == ord("\n")]
    # Within every line, before its end and after it: all kinds of cuts.
    cuts = sorted({0, 1, *(end + shift for end in ends for shift in (-40, -1, 0)), len(content)})
    for cut in (cut for cut in cuts if 0 <= cut <= len(content)):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / "journal.log").write_bytes(content[:cut])
        assert run_study(folder, SEARCHES["random"], TOTAL) == whole, cut
        lines = (folder / "journal.log").read_bytes().splitlines()
        assert all(json.loads(line) for line in lines)


def test_a_last_line_of_zeros_as_a_power_failure_leaves_it_is_dropped(tmp_path):
    whole = run_study(tmp_path, SEARCHES["random"], TOTAL)
    with (tmp_path / "journal.log").open("ab") as file:
        file.write(bytes(500))
    assert run_study(tmp_path, SEARCHES["random"], TOTAL) == whole


def test_what_another_worker_left_unfinished_is_dropped_before_the_next_line(tmp_path):
    # The other one is killed after this one has opened the journal.
    trials = opened_study(tmp_path, SEARCHES["random"])
    with (tmp_path / "journal.log").open("ab") as file:
        file.write(b'{"op_code":4,"worker_id":"an')
    trial = trials.begin(0, 1)
    trials.score(trial, 0.5, 1.0)
    assert [row[:3] for row in outcome(opened_study(tmp_path, SEARCHES["random"]))] == [(0, "COMPLETE", 0.5)]


def test_a_journal_that_is_damaged_within_is_told_with_its_cure(tmp_path):
    run_study(tmp_path, SEARCHES["random"], 1)
    content = (tmp_path / "journal.log").read_bytes().splitlines(keepends=True)
    (tmp_path / "journal.log").write_bytes(content[0] + b"{]" + content[1][2:] + b"".join(content[2:]))
    with pytest.raises(InputError, match=f"journal.log: damaged .*\n.*remove the folder {tmp_path} to seek anew"):
        opened_study(tmp_path, SEARCHES["random"])


def test_a_full_disk_leaves_the_journal_whole_and_the_study_goes_on_once_there_is_room(tmp_path):
    whole = run_study(tmp_path / "whole", SEARCHES["random"], TOTAL)
    with small_disk(tmp_path / "disk") as disk:
        folder = disk / "study"
        run_study(folder, SEARCHES["random"], 1)
        before = (folder / "journal.log").read_bytes()
        with filled(disk, 0), pytest.raises(PlaceError, match=r"no space left: .*journal\.log"):
            run_study(folder, SEARCHES["random"], 200)
        after = (folder / "journal.log").read_bytes()
        assert after.startswith(before)
        assert after.endswith(b"\n")
        count = len(outcome(opened_study(folder, SEARCHES["random"])))
        again = run_study(folder, SEARCHES["random"], max(TOTAL, count))
        assert again[:TOTAL] == whole


def test_a_write_that_finds_no_room_half_way_is_taken_back(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "journal.log")
    journal.append_logs([{"op_code": 0}])
    write = os.pwrite

    def half(file, content, place):
        if len(content) < 9:
            raise OSError(28, "No space left on device")
        return write(file, content[: len(content) // 2], place)

    monkeypatch.setattr(os, "pwrite", half)
    with pytest.raises(PlaceError, match="no space left"):
        journal.append_logs([{"op_code": 1, "study_id": 0}])
    monkeypatch.undo()
    assert (tmp_path / "journal.log").read_bytes() == b'{"op_code":0}\n'
    assert not (tmp_path / "journal.log.lock").exists()


def test_a_folder_without_rights_is_told(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(PlaceError, match=r"cannot be written .*; expected a folder where this user may write"):
        opened(tmp_path / "study" / "journal.log")
