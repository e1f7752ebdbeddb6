"""Tiles are copied to the node's own disk if they fit, are read from there, and are gone afterwards."""

import os
import shutil
import signal
import stat
import time
import traceback
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from histoloom.errors import InputError
from histoloom.train.data import local_copy
from histoloom.train.data.local_copy import local_copies
from histoloom.train.distributed import Ranks
from tests.scripts_run import outcome
from tests.train.training_case import make_case

ALONE = Ranks(0, 1, torch.device("cpu"))


@pytest.fixture
def files(tmp_path):
    (tmp_path / "tiles").mkdir()
    paths = [tmp_path / "tiles" / name for name in ("images.npy", "masks.npy")]
    for path, size in zip(paths, (3000, 1000), strict=True):
        path.write_bytes(bytes(range(250)) * (size // 250))
    return paths


@pytest.fixture
def scratch(tmp_path):
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


@contextmanager
def another_run(files, scratch, state):
    """A process that holds copies of its own, where the first one is; it is killed at the end."""
    reading, writing = os.pipe()
    process = os.fork()  # it has torch already
    if process == 0:
        try:
            with local_copies(files, scratch, state, ALONE) as copies:
                os.write(writing, str(copies[0]).encode())
                time.sleep(60)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)  # whatever happens, else it would go on as a second run of the tests
    os.close(writing)  # else reading would wait for ever for a process that has ended
    try:
        copy = os.read(reading, 4096).decode()
        assert copy, "the other run has ended"
        yield Path(copy)
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(reading)


def test_copies_are_the_same_bytes_for_this_user_alone_and_gone_at_the_end(files, scratch, tmp_path):
    with local_copies(files, scratch, tmp_path / "state" / "ab12", ALONE) as copies:
        assert [path.read_bytes() for path in copies] == [path.read_bytes() for path in files]
        assert [path.name for path in copies] == ["images.npy", "masks.npy"]
        (folder,) = {path.parent for path in copies}
        assert scratch in folder.parents
        assert "-ab12-" in folder.name
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(scratch.iterdir()) == []
    assert all(path.exists() for path in files)


def test_copies_go_when_training_fails(files, scratch, tmp_path):
    with pytest.raises(ZeroDivisionError), local_copies(files, scratch, tmp_path / "state", ALONE):
        raise ZeroDivisionError
    assert list(scratch.iterdir()) == []


def test_what_a_killed_run_left_goes_at_the_next_start_and_what_a_live_one_uses_stays(files, scratch, tmp_path):
    with another_run(files, scratch, tmp_path / "live") as in_use:
        with another_run(files, scratch, tmp_path / "killed") as left:
            assert left.is_file()
        assert left.is_file()
        with local_copies(files, scratch, tmp_path / "state", ALONE) as copies:
            assert not left.parent.exists()
            assert not left.parent.with_name(f"{left.parent.name}.lease").exists()
            assert in_use.is_file()
            assert all(copy.is_file() for copy in copies)
        assert in_use.is_file()


def test_a_run_that_was_killed_and_starts_again_copies_anew(files, scratch, tmp_path):
    with another_run(files, scratch, tmp_path / "state") as left:
        pass
    left.write_bytes(b"half")
    with local_copies(files, scratch, tmp_path / "state", ALONE) as copies:
        assert copies[0] == left
        assert copies[0].read_bytes() == files[0].read_bytes()


def test_the_second_process_of_a_node_uses_what_the_first_copied(files, scratch, tmp_path, monkeypatch):
    with ExitStack() as runs:
        copies = runs.enter_context(local_copies(files, scratch, tmp_path / "state", ALONE))
        monkeypatch.setenv("LOCAL_RANK", "1")
        with local_copies(files, scratch, tmp_path / "state", ALONE) as seen:
            assert seen == copies
        assert copies[0].exists()
        monkeypatch.setenv("GROUP_RANK", "1")  # another node, were it on the same disk
        with local_copies(files, scratch, tmp_path / "state", ALONE) as seen:
            assert seen[0].parent != copies[0].parent


def test_too_little_room_is_told_before_anything_is_copied(files, scratch, tmp_path, monkeypatch):
    monkeypatch.setattr(local_copy.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, 3999))
    refusal = r"histoloom-\d+: 0\.0 MB free on node .*; expected 0\.0 MB for the tiles.*\n.*train\.local_scratch: false"
    with pytest.raises(InputError, match=refusal), local_copies(files, scratch, tmp_path / "state", ALONE):
        pass
    assert list(scratch.iterdir()) == []
    monkeypatch.setattr(local_copy.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, 4000))
    with local_copies(files, scratch, tmp_path / "state", ALONE):
        pass


@pytest.mark.parametrize("scratch", ["missing", "file"])
def test_a_scratch_that_is_no_folder_is_told(files, scratch, tmp_path):
    (tmp_path / "file").touch()
    refusal = pytest.raises(InputError, match=r"cannot hold the tiles .*(No such|Not a dir).*\nset TMPDIR to one")
    with refusal, local_copies(files, tmp_path / scratch, tmp_path / "state", ALONE):
        pass


def test_a_folder_that_another_user_put_there_is_refused(files, scratch, tmp_path):
    (tmp_path / "trap").mkdir()
    (scratch / f"histoloom-{os.getuid()}").symlink_to(tmp_path / "trap")
    refusal = pytest.raises(InputError, match=r"belongs to user number \d+ or is no folder")
    with refusal, local_copies(files, scratch, tmp_path / "state", ALONE):
        pass
    assert list((tmp_path / "trap").iterdir()) == []


def test_training_from_local_scratch_gives_the_same_bytes(tmp_path, monkeypatch):
    torch.set_num_threads(1)
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    opened, load = [], np.load
    monkeypatch.setattr(np, "load", lambda path, **options: opened.append(path) or load(path, **options))
    results = []
    for name in ("shared", "local"):
        case = make_case(tmp_path / name, loader_workers=0, settings={"epochs": 1}, local_scratch=name == "local")
        opened.clear()
        assert outcome(["scripts/train.py", *case.flags()]) == "done"
        assert len(opened) == 3
        assert all((tmp_path / "scratch" in path.parents) == case.local_scratch for path in opened)
        results.append(case.result())
    assert results[0] == results[1]
    assert list((tmp_path / "scratch").iterdir()) == []
