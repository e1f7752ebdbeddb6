"""Nothing is written outside its folder, whatever images, slides, studies and archives are called, or link to."""

import io
import os
import stat
import tarfile
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from histoloom.errors import InputError
from histoloom.files import atomic_file, atomic_folder
from histoloom.prepare.fetch.archives import unpack
from histoloom.prepare.fetch.download import file_name
from histoloom.prepare.preparation import safe_name
from histoloom.raw_data import raw_digest
from histoloom.study.slide_list import listed_slides
from histoloom.study.study import Study
from tests.security.test_limits import config

AWAY = ("../../etc/passwd", "..", "/etc/passwd", "a/../../b", "..\\..\\b", "\0/x", "~/x", "C:\\x", "con/../x", "-rf")


@pytest.mark.parametrize("name", AWAY)
def test_the_name_of_an_image_is_one_part_of_a_path(name):
    made = safe_name(name)
    assert not {"/", "\\", "\0", "~", ":"} & set(made)
    assert not made.startswith((".", "-"))


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "..", "%2e%2e", ".bashrc", "a%00b", "-rf", ""])
def test_the_name_of_a_download_is_one_part_of_a_path(name):
    made = file_name(f"https://example.org/{name}?x=/../y")
    assert made and not made.startswith((".", "-"))
    assert not {"/", "\\", "\0"} & set(made)


def test_slides_of_any_name_get_folders_of_their_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["$(touch x).svs", "..svs", "a b.svs", "a;b.svs", "ä.svs", "</script>.svs".replace("/", "_"), "{x}.svs"]
    for name in names:
        Path(name).touch()
    section = {"files": names, "model": "d/a", "mpp": 0.0}
    slugs = [slide.slug for slide in listed_slides(section)]
    assert len(set(slugs)) == len(names)
    assert all(slug.isascii() and slug.replace("_", "a").isalnum() and slug == slug.lower() for slug in slugs)


def test_a_slide_that_looks_like_an_option_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("--state=x.svs").touch()
    with pytest.raises(InputError, match=r"--state=x\.svs begins with '-'"):
        listed_slides({"files": ["*.svs"], "model": "d/a", "mpp": 0.0})


@pytest.mark.parametrize("name", [*AWAY, "$(touch x)", "{wildcard}"])
def test_the_name_of_a_study_is_one_part_of_a_path(name):
    values = config()
    values["study"]["name"] = name
    assert set(Study(values).slug) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")


def zip_with(path, name, target=None):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777 if target else stat.S_IFREG | 0o644) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, target or "harm")


def tar_with(path, name, target=None):
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = (tarfile.SYMTYPE, target) if target else (tarfile.REGTYPE, "")
    entry.size = 0 if target else 4
    with tarfile.open(path, "w") as archive:
        archive.addfile(entry, io.BytesIO(b"harm"))


@pytest.mark.parametrize("pack", [zip_with, tar_with])
@pytest.mark.parametrize(
    ("name", "target"),
    [("../harm", None), ("/tmp/harm", None), ("a/../../harm", None), ("..\\harm", None), ("a", "..")],
)
def test_no_member_of_an_archive_leaves_its_folder(pack, name, target, tmp_path):
    pack(tmp_path / "packed", name, target)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=r"do not trust it|expected files and folders only"):
        unpack(tmp_path / "packed", tmp_path / "folder")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_link_in_the_way_is_not_followed(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").symlink_to(tmp_path / "outside")
    tar_with(tmp_path / "packed", "a/b")
    with pytest.raises(InputError, match="is no plain folder"):
        unpack(tmp_path / "packed", tmp_path / "folder")
    assert list((tmp_path / "outside").iterdir()) == []


def test_what_is_written_takes_the_place_of_a_link_and_not_of_what_it_leads_to(tmp_path):
    (tmp_path / "outside").write_text("mine")
    (tmp_path / "a.txt").symlink_to(tmp_path / "outside")
    with atomic_file(tmp_path / "a.txt") as part:
        part.write_text("results")
    assert (tmp_path / "outside").read_text() == "mine"
    assert not (tmp_path / "a.txt").is_symlink()


def test_a_folder_in_the_way_that_is_a_link_keeps_what_it_leads_to(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "mine").touch()
    (tmp_path / "images").symlink_to(tmp_path / "outside")
    with suppress(OSError), atomic_folder(tmp_path / "images") as part:
        (part / "new").touch()
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["mine"]


def test_links_that_lead_round_in_a_dataset_end_in_a_message(tmp_path):
    (tmp_path / "raw" / "a").mkdir(parents=True)
    for name in ("b", "c"):
        (tmp_path / "raw" / "a" / name).symlink_to(tmp_path / "raw")
    with pytest.raises(InputError, match="a link back to a folder that it lies in"):
        raw_digest(tmp_path / "raw", tmp_path / "cache.json")


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_a_file_without_end_in_a_dataset_is_not_read(make, tmp_path):
    (tmp_path / "raw").mkdir()
    make(tmp_path / "raw" / "a.png")
    with pytest.raises(InputError, match="a pipe, socket or device"):
        raw_digest(tmp_path / "raw", tmp_path / "cache.json")


def test_files_that_are_linked_into_a_dataset_count_by_what_they_hold(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "shared.png").write_bytes(b"one")
    (tmp_path / "raw" / "a.png").symlink_to(tmp_path / "shared.png")
    before = raw_digest(tmp_path / "raw", tmp_path / "cache.json")
    (tmp_path / "shared.png").write_bytes(b"other")
    assert raw_digest(tmp_path / "raw", tmp_path / "cache.json") != before
