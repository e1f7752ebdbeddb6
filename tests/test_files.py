"""Files are there whole or not at all."""

import errno
import json
import os
import resource
import shutil
import signal
import stat
import tempfile
from contextlib import contextmanager

import numpy as np
import pytest

from histoloom import part_files
from histoloom.errors import InputError
from histoloom.files import atomic_file, atomic_folder, digest_of, sha256, write_json, write_table


@contextmanager
def limited_to(size):
    """Files of at most `size` bytes. Python ignores SIGXFSZ, so a write beyond the limit raises as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_failed_write_leaves_what_was_there_and_no_part(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(RuntimeError), atomic_file(tmp_path / "a.txt") as part:
        part.write_text("half")
        raise RuntimeError
    assert (tmp_path / "a.txt").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_failed_folder_leaves_what_was_there_and_no_part(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").touch()
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "folder") as part:
        (part / "half").touch()
        raise RuntimeError
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "old"]


def test_a_folder_is_replaced_whole(tmp_path):
    for name in ("old", "new"):
        with atomic_folder(tmp_path / "folder") as part:
            (part / name).touch()
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "new"]


def test_what_numpy_and_shutil_tell_of_a_full_disk_without_a_number_is_told_likewise(tmp_path):
    with limited_to(1000):
        with (
            pytest.raises(InputError, match=r"no space left: \S+a\.npy \(8000 requested"),
            atomic_file(tmp_path / "a.npy") as part,
        ):
            np.save(part, np.zeros(8000, np.uint8))
        (tmp_path / "small").mkdir()
        (tmp_path / "small" / "a").write_bytes(bytes(900))
        with pytest.raises(InputError, match=r"no space left: \S+copy "), atomic_folder(tmp_path / "copy") as part:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
            shutil.copytree(tmp_path / "small", part, dirs_exist_ok=True)
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


def killed_writer(keep, path):
    """Fork a process that is killed while it writes; the names beside `path` then."""
    child = os.fork()
    if child == 0:
        with keep(path):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    return [each.name for each in path.parent.iterdir()]


@pytest.mark.parametrize("keep", [atomic_file, atomic_folder])
def test_what_a_killed_writer_left_is_removed_by_the_next_one_and_nothing_else(tmp_path, keep):
    with atomic_file(tmp_path / "other.csv") as held:
        held.write_text("of a writer that lives")
        left = killed_writer(keep, tmp_path / "a.csv")
        assert len(left) == 2
        foreign = tmp_path / ".part-00000000-elsewhere"  # of another host, whose locks are not seen here
        foreign.touch()
        part_files._searched.clear()  # as in a process that begins
        with keep(tmp_path / "a.csv") as part:
            assert {each.name for each in tmp_path.iterdir()} == {part.name, held.name, foreign.name}
    assert {each.name for each in tmp_path.iterdir()} == {"a.csv", "other.csv", foreign.name}


def test_a_place_where_one_may_not_write_is_told_with_the_cure(tmp_path, monkeypatch):
    def refused(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "mkstemp", refused)
    expected = r"a\.csv: cannot be written \(Read-only file system\); expected a folder where this user may write"
    with pytest.raises(InputError, match=expected):
        write_table(tmp_path / "a.csv", ("a",), [])


def test_files_have_the_mode_that_the_umask_gives(tmp_path):
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "a.json", {"å": 1})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o640
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"å": 1}


def test_the_temporary_file_keeps_the_suffix_by_which_libraries_choose_a_format(tmp_path):
    with atomic_file(tmp_path / "a.png") as part:
        assert part.suffix == ".png"
        assert part.parent == tmp_path


def test_a_full_disk_leaves_the_old_file(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"old")
    with (
        limited_to(1000),
        pytest.raises(InputError, match="File too large"),
        atomic_file(tmp_path / "a.bin") as part,
    ):
        part.write_bytes(bytes(5000))
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_table_has_a_header_plain_line_ends_and_empty_cells_for_none(tmp_path):
    write_table(tmp_path / "a.csv", ("name", "mpp"), [("x,y", None), {"mpp": 0.25, "name": "z"}])
    assert (tmp_path / "a.csv").read_bytes() == b'name,mpp\n"x,y",\nz,0.25\n'


def test_the_digest_is_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a") == digest_of(b"abc")
    assert digest_of(b"abc").startswith("ba7816bf8f01cfea")


@pytest.mark.parametrize("keep", [atomic_file, atomic_folder])
def test_a_full_disk_is_told_with_the_file_and_nothing_is_left(tmp_path, keep):
    target = tmp_path / "table.csv"
    with pytest.raises(InputError, match=r"no space left: \S+table\.csv \(.+\); expected room"), keep(target) as part:
        file = part / "one" if part.is_dir() else part
        file.write_bytes(b"begun")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []
