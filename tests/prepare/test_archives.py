import gzip
import io
import stat
import struct
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

from histoloom.errors import InputError
from histoloom.prepare.fetch import archives
from histoloom.prepare.fetch.archives import unpack

GOOD = [("Fold 1/images/a.txt", b"first"), ("Fold 1/masks/b.txt", b"second"), ("README.txt", b"read")]


def zip_of(path, members, **attributes):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members:
            entry = zipfile.ZipInfo(name)
            entry.filename = name  # ZipInfo cuts a name at a NUL
            entry.compress_type = zipfile.ZIP_DEFLATED
            for key, value in attributes.items():
                setattr(entry, key, value)
            archive.writestr(entry, body)
    return path


def tar_of(path, members, mode="w", kind=tarfile.REGTYPE, link=""):
    with tarfile.open(path, mode) as archive:
        for name, body in members:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, link
            entry.size = len(body) if kind == tarfile.REGTYPE else 0
            archive.addfile(entry, io.BytesIO(body))
    return path


MAKERS = {
    "a.zip": zip_of,
    "a.tar": tar_of,
    "a.tar.gz": lambda path, members, **more: tar_of(path, members, "w:gz", **more),
}


@pytest.fixture(params=MAKERS)
def make(request, tmp_path):
    return lambda members, **more: MAKERS[request.param](tmp_path / request.param, members, **more)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "root"


def content(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() or path.is_symlink()
    }


RAISE = "raise limits.{0} in the config (of a script by itself: HISTOLOOM_LIMITS={0}=...)"


def check_refused(archive, folder, message):
    """The message is golden, and nothing was written, inside the target or outside."""
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(InputError) as problem:
        unpack(archive, folder)
    assert str(problem.value) == message.replace("ARCHIVE", str(archive))
    assert sorted(path for path in folder.parent.rglob("*") if path != folder) == before
    assert not folder.exists() or not any(folder.iterdir())


def test_all_files_come_out_with_their_bytes(make, folder):
    calls = []
    entries = unpack(make(GOOD), folder, progress=lambda done, total: calls.append((done, total)))
    assert entries == ["Fold 1", "README.txt"]
    assert content(folder) == dict(GOOD)
    assert calls == [(5, 15), (11, 15), (15, 15)]
    assert sorted(path.name for path in folder.iterdir()) == entries


def test_rights_of_an_archive_are_not_kept(folder, tmp_path):
    unpack(zip_of(tmp_path / "a.zip", [("run.sh", b"#!")], external_attr=(stat.S_IFREG | 0o6777) << 16), folder)
    assert (folder / "run.sh").stat().st_mode & 0o7111 == 0


def test_folders_and_empty_files_are_made(tmp_path, folder):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, kind in (("./empty", tarfile.DIRTYPE), ("./full/nothing", tarfile.REGTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type = kind
            archive.addfile(entry)
    assert unpack(tmp_path / "a.tar", folder) == ["empty", "full"]
    assert (folder / "empty").is_dir()
    assert content(folder) == {"full/nothing": b""}


def test_backslashes_of_windows_part_folders(tmp_path, folder):
    unpack(zip_of(tmp_path / "a.zip", [("images\\", b""), ("images\\a.txt", b"a")]), folder)
    assert content(folder) == {"images/a.txt": b"a"}


def test_shadows_of_the_finder_are_left_out(make, folder):
    assert unpack(make([*GOOD, ("__MACOSX/._a.txt", b"x")]), folder) == ["Fold 1", "README.txt"]


def test_other_files_of_the_folder_stay(make, folder):
    (folder / "Fold 1").mkdir(parents=True)
    (folder / "Fold 1" / "mine.txt").write_bytes(b"mine")
    unpack(make(GOOD), folder)
    assert content(folder) == dict(GOOD) | {"Fold 1/mine.txt": b"mine"}


def test_unpacking_twice_is_no_conflict(make, folder):
    archive = make(GOOD)
    assert unpack(archive, folder) == unpack(archive, folder)
    assert content(folder) == dict(GOOD)


def test_what_a_killed_run_left_is_cleared(make, folder):
    (folder / ".unpacking" / "Fold 1").mkdir(parents=True)
    (folder / ".unpacking" / "Fold 1" / "half.txt").write_bytes(b"ha")
    unpack(make(GOOD), folder)
    assert content(folder) == dict(GOOD)


def test_a_file_that_differs_stops_before_anything_is_moved(make, folder):
    folder.mkdir()
    (folder / "README.txt").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"README.txt: differs from the file of that name in a\..*; move it away"):
        unpack(make(GOOD), folder)
    assert content(folder) == {"README.txt": b"mine"}
    assert [path.name for path in folder.iterdir()] == ["README.txt"]


@pytest.mark.parametrize("name", ["Fold 1", "Fold 1/images", "README.txt"])
def test_a_link_in_the_way_is_not_followed(name, make, folder, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / name).parent.mkdir(parents=True)
    (folder / name).symlink_to(outside)
    with pytest.raises(InputError, match=r"is no plain folder|differs from the file of that name"):
        unpack(make(GOOD), folder)
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("name", ["../evil.txt", "images/../../evil.txt", "images/..", "..\\evil.txt"])
def test_a_member_cannot_leave_the_folder(name, make, folder):
    message = f"ARCHIVE: member {name!r} leaves its folder; expected no '..'; do not trust it"
    check_refused(make([*GOOD, (name, b"evil")]), folder, message)


@pytest.mark.parametrize("name", [f"{tempfile.gettempdir()}/evil.txt", "\\evil.txt", "C:\\evil.txt", "c:evil.txt"])
def test_an_absolute_path_is_refused(name, make, folder):
    message = f"ARCHIVE: member {name!r} has an absolute path; expected a relative one; do not trust it"
    check_refused(make([*GOOD, (name, b"evil")]), folder, message)


@pytest.mark.parametrize("name", ["a\nb.txt", "\x1b[2J.txt"])
def test_a_name_with_control_characters_is_refused_and_shown_harmless(name, make, folder):
    message = f"ARCHIVE: member {name!r} has a name that is no text; expected letters; do not trust it"
    assert "\x1b" not in message
    check_refused(make([*GOOD, (name, b"evil")]), folder, message)


def kind_message(name, kind):
    return f"ARCHIVE: member '{name}' is a {kind}; expected files and folders only; unpack it by hand"


@pytest.mark.parametrize(
    "kind, word",
    [
        (tarfile.SYMTYPE, "symbolic link"),
        (tarfile.LNKTYPE, "hard link"),
        (tarfile.CHRTYPE, "device or pipe"),
        (tarfile.BLKTYPE, "device or pipe"),
        (tarfile.FIFOTYPE, "device or pipe"),
    ],
)
@pytest.mark.parametrize("suffix, mode", [("tar", "w"), ("tar.gz", "w:gz")])
def test_links_and_devices_in_a_tar_are_refused(kind, word, suffix, mode, folder, tmp_path):
    archive = tar_of(tmp_path / f"a.{suffix}", [("evil", b"")], mode, kind, link="/etc/passwd")
    check_refused(archive, folder, kind_message("evil", word))


@pytest.mark.parametrize(
    "kind, word",
    [(stat.S_IFLNK, "symbolic link"), (stat.S_IFCHR, "device or pipe"), (stat.S_IFIFO, "device or pipe")],
)
def test_links_and_devices_in_a_zip_are_refused(kind, word, folder, tmp_path):
    members = [("evil", b"/etc/passwd")]
    archive = zip_of(tmp_path / "a.zip", members, create_system=3, external_attr=(kind | 0o777) << 16)
    check_refused(archive, folder, kind_message("evil", word))


def test_a_zip_with_password_is_refused(folder, tmp_path):
    archive = zip_of(tmp_path / "a.zip", [("a.txt", b"a")])
    body = bytearray(archive.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        body[body.index(signature) + place] |= 1  # "encrypted" in the local and in the central header
    archive.write_bytes(body)
    check_refused(archive, folder, kind_message("a.txt", "entry with a password"))


@pytest.mark.parametrize(
    "names",
    [
        ("images/A.png", "images/a.png"),
        ("Images/a.png", "images/b.png"),
        ("a", "a/b.png"),
        ("a.png", "a.png"),
        ("é.png", "e\u0301.png"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_names_that_some_file_systems_take_for_one_are_refused(names, make, folder):
    with pytest.raises(InputError) as problem:
        unpack(make([(name, name.encode()) for name in names]), folder)
    assert str(problem.value).endswith(
        "have one name on some file systems; expected different names; rename one and pack it again"
    )
    assert not folder.exists()


def test_the_message_names_both_spellings(make, folder):
    message = (
        "ARCHIVE: members 'images/A.png' and 'images/a.png' have one name on some file systems; expected different "
        "names; rename one and pack it again"
    )
    check_refused(make([("images/A.png", b""), ("images/a.png", b"")]), folder, message)


def test_a_bomb_is_refused_by_its_size(make, folder, monkeypatch):
    monkeypatch.setattr(archives, "GB", 10**6)
    archive = make([("zeros.npy", bytes(10_000_000))])
    monkeypatch.setenv("HISTOLOOM_LIMITS", "archive_gb=9 archive_ratio=100000")
    message = "ARCHIVE: unpacks to more than 9000000 bytes; expected less; if you trust it, "
    check_refused(archive, folder, message + RAISE.format("archive_gb"))
    monkeypatch.setenv("HISTOLOOM_LIMITS", "archive_gb=10 archive_ratio=100000")
    unpack(archive, folder)


def test_a_bomb_is_refused_by_its_number_of_members(make, folder, monkeypatch):
    monkeypatch.setenv("HISTOLOOM_LIMITS", "archive_members=2")
    message = "ARCHIVE: has more than 2 members; expected fewer; if you trust it, " + RAISE.format("archive_members")
    check_refused(make(GOOD), folder, message)


def test_a_zip_that_lies_about_its_size_writes_no_more_than_it_says(folder, tmp_path):
    archive = zip_of(tmp_path / "a.zip", [("zeros.npy", bytes(10_000_000))])
    body = bytearray(archive.read_bytes())
    place = body.index(b"PK\x01\x02") + 24
    assert struct.unpack_from("<I", body, place) == (10_000_000,)
    struct.pack_into("<I", body, place, 1000)
    archive.write_bytes(body)
    with pytest.raises(InputError, match=r"a.zip: cannot be unpacked \(Bad CRC-32 for file 'zeros.npy'\)"):
        unpack(archive, folder)
    assert list(folder.iterdir()) == []


def test_a_disk_that_is_too_small_is_found_before_unpacking(make, folder, monkeypatch):
    import shutil

    usage = shutil.disk_usage(folder.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage._replace(free=14))
    with pytest.raises(InputError, match=r"no space left: a\.\S+ needs 15 bytes, free are 14"):
        unpack(make(GOOD), folder)
    assert not folder.exists()


def test_a_damaged_archive_leaves_nothing(make, folder):
    archive = make([("noise.txt", bytes(range(256)) * 4096)])
    body = archive.read_bytes()
    archive.write_bytes(body[: len(body) // 2])
    with pytest.raises(InputError, match=r"cannot be unpacked .*; expected a whole archive; get it again"):
        unpack(archive, folder)
    assert not folder.exists() or list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>log in</html>", b"Rar!\x1a\x07\x00 and more", gzip.compress(b"text", mtime=0)],
    ids=["empty", "page", "rar", "gzip"],
)
def test_what_is_no_archive_is_refused(body, folder, tmp_path):
    (tmp_path / "a.zip").write_bytes(body)
    message = f"ARCHIVE: begins with {body[:4]!r}; expected a zip, tar or tar.gz; set 'unpack: false' for a plain file"
    check_refused(tmp_path / "a.zip", folder, message)


@pytest.mark.parametrize("members", [[], [("__MACOSX/a", b"")]])
def test_an_archive_without_files_is_refused(members, make, folder):
    check_refused(make(members), folder, "ARCHIVE: holds no file; expected a dataset; get it again")


def test_a_folder_that_cannot_be_written_is_named(make, tmp_path):
    (tmp_path / "root").write_text("a file where the folder should be")
    with pytest.raises(InputError, match=r"root: a\.\S+ cannot be unpacked here \((File exists|Not a directory)\)"):
        unpack(make(GOOD), tmp_path / "root")


def test_a_name_too_long_for_the_disk_leaves_nothing(make, folder):
    with pytest.raises(InputError, match=r"cannot be unpacked here .File name too long."):
        unpack(make([*GOOD, ("n" * 300, b"x")]), folder)
    assert list(folder.iterdir()) == []


def test_tests_write_nowhere_else():
    assert not Path(tempfile.gettempdir(), "evil.txt").exists()
