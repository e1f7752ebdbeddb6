"""Files are there whole or not at all."""

import errno
import json
import os
import stat

import pytest

from histoloom.errors import InputError
from histoloom.files import atomic_file, atomic_folder, digest_of, sha256, write_json, write_table


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
    import resource

    (tmp_path / "a.bin").write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python ignores SIGXFSZ, so a write beyond the limit raises as on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(InputError, match="File too large"), atomic_file(tmp_path / "a.bin") as part:
            part.write_bytes(bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
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
