"""The files of a dataset: fetched, unpacked and written down once, with a receipt at the end."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from histoloom.errors import InputError
from histoloom.prepare.fetch.fetching import Fetched, RemoteFile, fetch_files, read_receipt, write_receipt
from histoloom.raw_data import raw_digest
from tests.prepare.file_server import BODY, DIGEST

SCRIPT = Path(__file__).parents[2] / "scripts" / "fetch_dataset.py"


def zipped(**members):
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in members.items():
            archive.writestr(f"Fold/{name}.txt", text)
    return buffer.getvalue()


def served(server, **bodies):
    server.paths = {f"/{name.replace('_', '.')}": body for name, body in bodies.items()}
    base = server.url.rsplit("/", 1)[0]
    return [
        RemoteFile(base + path, hashlib.sha256(body).hexdigest(), path.endswith("zip"))
        for path, body in server.paths.items()
    ]


def test_archives_are_unpacked_and_other_files_kept_and_then_nothing_is_asked(server, tmp_path):
    files = served(server, a_zip=zipped(one="1"), b_zip=zipped(two="22"), c_csv=b"x\n")
    root = tmp_path / "root"
    fetched = fetch_files(files, root)
    assert [(row.bytes > 0, row.entries) for row in fetched] == [(True, ("Fold",))] * 2 + [(True, ("c.csv",))]
    assert (root / "Fold" / "one.txt").read_text() == "1"
    assert (root / "Fold" / "two.txt").read_text() == "22"
    assert (root / "c.csv").read_bytes() == b"x\n"
    asked = len(server.asked)
    assert fetch_files(files, root) == fetched
    assert len(server.asked) == asked == 3


def test_what_was_removed_is_unpacked_again_without_network(server, tmp_path):
    files = served(server, a_zip=zipped(one="1"))
    fetch_files(files, tmp_path)
    shutil.rmtree(tmp_path / "Fold")
    fetch_files(files, tmp_path)
    assert (tmp_path / "Fold" / "one.txt").read_text() == "1"
    assert len(server.asked) == 1


def test_a_file_that_the_user_changed_is_not_overwritten(server, tmp_path):
    (tmp_path / "c.csv").write_text("mine")
    with pytest.raises(InputError, match=r"c.csv: differs from http.*; expected the same or none; move it away"):
        fetch_files(served(server, c_csv=b"x\n"), tmp_path)
    assert (tmp_path / "c.csv").read_text() == "mine"


def test_two_files_of_one_name_are_refused(tmp_path):
    files = [RemoteFile(f"http://host/{folder}/a.zip", DIGEST, True) for folder in "xy"]
    with pytest.raises(InputError, match=r"another file is 'a.zip' too"):
        fetch_files(files, tmp_path)


def test_a_receipt_counts_only_for_its_own_files_and_while_their_entries_are_there(tmp_path):
    (tmp_path / "Fold").mkdir()
    file = RemoteFile("http://host/a.zip", DIGEST, True)
    row = Fetched(file.url, DIGEST, 7, ("Fold",))
    write_receipt(tmp_path / "receipt.json", "mine", "CC0", "Me 2020", [row])
    assert read_receipt(tmp_path / "receipt.json", [file], tmp_path) == [row]
    other = RemoteFile("http://host/a.zip", "0" * 64, True)
    assert read_receipt(tmp_path / "receipt.json", [other], tmp_path) is None
    (tmp_path / "Fold").rmdir()
    assert read_receipt(tmp_path / "receipt.json", [file], tmp_path) is None


def command(root, *arguments):
    tables = ("--digests", str(root.parent / "digests.json"), "--receipt", str(root.parent / "receipt.json"))
    words = ["--dataset", "mine", "--root", str(root), *tables, *arguments]
    return [sys.executable, str(SCRIPT), *words]


def test_the_script_fetches_resumes_after_a_kill_and_writes_the_receipt_last(server, tmp_path):
    body = zipped(one="1" * 2_000_000, two=BODY.hex()[:2_000_000])
    (file,) = served(server, a_zip=body)
    server.breaks = [1_000_000]
    words = command(
        tmp_path / "root", "--file", file.url, file.sha256, "yes", "--licence", "CC0", "--citation", "Me 2020"
    )
    server.statuses = [200] + [500] * 99  # after the break the script waits, and is killed while it does
    killed = subprocess.Popen(words, stderr=subprocess.PIPE)
    while len(server.asked) < 2:
        assert killed.poll() is None
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    assert not (tmp_path / "receipt.json").exists()
    assert (tmp_path / "root" / ".downloads" / ".a.zip.part").stat().st_size == 1_000_000
    server.statuses, before = [], len(server.asked)
    run = subprocess.run(words, capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (0, "")
    assert server.asked[before:] == [("bytes=1000000-", '"one"')]
    assert re.search(r"mine: 4 of 4 MB, \d+ s", run.stderr)
    assert json.loads((tmp_path / "receipt.json").read_text()) == {
        "dataset": "mine",
        "licence": "CC0",
        "citation": "Me 2020",
        "content": raw_digest(tmp_path / "root", tmp_path / "again.json"),
        "files": [{"url": file.url, "sha256": file.sha256, "bytes": len(body), "entries": ["Fold"]}],
    }
    server.paths, server.statuses = {}, [404] * 9
    again = subprocess.run(words, capture_output=True, text=True)
    assert (again.returncode, again.stderr, len(server.asked)) == (0, "", before + 1)


def test_a_dataset_with_login_prints_its_steps_and_accepts_what_was_put_there(tmp_path):
    root = tmp_path / "root"
    words = command(root, "--steps", "1. Log in.\n2. Unpack it there.\n", "--licence", "CC BY 4.0")
    run = subprocess.run(words, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr == (
        f"error: {root}: is empty, and mine has no direct link; expected the dataset; do this by hand, then run "
        "again:\n1. Log in.\n2. Unpack it there.\nLicence: CC BY 4.0\n"
    )
    assert not (tmp_path / "receipt.json").exists()
    root.mkdir()
    (root / "a.png").touch()
    run = subprocess.run(words, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, f"{root}: is there, put by hand; nothing to fetch\n")
    assert json.loads((tmp_path / "receipt.json").read_text())["files"] == []


def test_a_dataset_without_source_says_so(tmp_path):
    run = subprocess.run(command(tmp_path / "root"), capture_output=True, text=True)
    assert run.returncode == 1
    assert "error: dataset 'mine': has no 'source'" in run.stderr
