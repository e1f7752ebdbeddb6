"""The digest of raw data: what changes it, what does not, and when files are read again."""

import os
import shutil
from pathlib import Path

import pytest

from histoloom import raw_data
from histoloom.errors import InputError
from histoloom.raw_data import raw_digest
from histoloom.study.raw import is_download, raw_data_digest


def raw(folder, size=5):
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "a.png").write_bytes(b"a" * size)
    (folder / "b.json").write_bytes(b"{}")
    return folder


def test_the_digest_of_raw_data_knows_names_and_content_but_not_times_nor_places(tmp_path):
    first, cache = raw(tmp_path / "one"), tmp_path / "cache"
    digest = raw_digest(first, cache / "1.json")
    second = Path(shutil.copytree(first, tmp_path / "two"))
    os.utime(second / "b.json", (1, 1))
    (second / ".DS_Store").write_text("x")
    assert raw_digest(second, cache / "2.json") == digest
    assert raw_digest(second, cache / "1.json") == digest
    (second / "b.json").rename(second / "c.json")
    assert raw_digest(second, cache / "2.json") != digest
    (second / "c.json").rename(second / "b.json")
    (second / "b.json").write_bytes(b"[]")
    assert raw_digest(second, cache / "2.json") != digest


def test_raw_data_that_has_not_changed_is_not_read_again(tmp_path, monkeypatch):
    folder = raw(tmp_path / "one")
    digest = raw_digest(folder, tmp_path / "cache.json")
    monkeypatch.setattr(raw_data, "_content_digest", None)
    assert raw_digest(folder, tmp_path / "cache.json") == digest


def test_one_changed_byte_anywhere_in_a_large_file_changes_the_digest(tmp_path):
    folder = raw(tmp_path / "one", size=20 << 20)
    digests = {raw_digest(folder, tmp_path / "cache.json")}
    for place in (0, 5 << 20, 10 << 20, (20 << 20) - 1):
        with (folder / "images" / "a.png").open("r+b") as file:
            file.seek(place)
            file.write(b"b")
        digests.add(raw_digest(folder, tmp_path / "cache.json"))
    assert len(digests) == 5


def test_a_touched_file_is_read_once_more_and_its_digest_stays(tmp_path, monkeypatch):
    folder, reads = raw(tmp_path / "one"), []
    digest = raw_digest(folder, tmp_path / "cache.json")
    os.utime(folder / "b.json", (1, 1))
    read = raw_data._content_digest
    monkeypatch.setattr(raw_data, "_content_digest", lambda file: reads.append(file.name) or read(file))
    assert raw_digest(folder, tmp_path / "cache.json") == digest
    assert raw_digest(folder, tmp_path / "cache.json") == digest
    assert reads == ["b.json"]


def test_a_link_that_leads_nowhere_is_named(tmp_path):
    folder = raw(tmp_path / "one")
    (folder / "images" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(InputError, match=r"gone\.png: a link that leads nowhere; expected a file; .* remove the link"):
        raw_digest(folder, tmp_path / "cache.json")


def test_a_download_that_broke_is_gone_on_with_and_files_laid_by_hand_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entry = {"root": "raw", "source": {"files": [{"url": "https://example.org/a.zip", "sha256": "0" * 64}]}}
    config = {"study": {}, "datasets": {"mine": entry}}
    assert is_download(config, "mine")
    promised = raw_data_digest(config, "mine")
    raw(tmp_path / "raw")
    assert not is_download(config, "mine")
    assert raw_data_digest(config, "mine") != promised
    (tmp_path / "raw" / ".downloads").mkdir()  # a part of the files is there, and no receipt
    assert is_download(config, "mine")
    assert raw_data_digest(config, "mine") == promised
