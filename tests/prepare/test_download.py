import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from histoloom import progress as progress_module
from histoloom.errors import InputError
from histoloom.prepare.fetch.download import fetch_file
from histoloom.prepare.fetch.fetching import Fetched, RemoteFile, fetch_files, read_receipt, write_receipt
from histoloom.progress import line_printer, progress_bar
from histoloom.raw_data import raw_digest

SCRIPT = Path(__file__).parents[2] / "scripts" / "fetch_dataset.py"
BODY = np.random.default_rng(0).bytes(3_000_000)
OTHER = np.random.default_rng(1).bytes(3_000_000)
DIGEST = hashlib.sha256(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """A web server of one file. `breaks` are the numbers of bytes after which answers are cut, one for each answer."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.body, self.etag, self.ranges, self.breaks = BODY, '"one"', True, []
        self.statuses, self.redirect, self.asked, self.paths = [], "", [], {}
        self.changes = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/fold_1.bin"

    def handle_error(self, request, client_address):
        """Broken pipes are what these tests are about."""


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server = self.server
        server.asked.append((self.headers.get("Range"), self.headers.get("If-Range")))
        status = server.statuses.pop(0) if server.statuses else 200
        if server.redirect:
            self.send_response(302)
            self.send_header("Location", server.redirect)
            self.end_headers()
            return
        if status != 200:
            self.send_error(status)
            return
        if server.changes:
            server.body, server.etag = server.changes.pop(0)
        self._send(server.paths.get(self.path, server.body))

    def _send(self, body):
        server, start = self.server, 0
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and server.ranges and self.headers.get("If-Range", server.etag) == server.etag:
            start = int(wanted[1])
            if start >= len(body):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if server.etag:
            self.send_header("ETag", server.etag)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        count = server.breaks.pop(0) if server.breaks else len(body)
        self.wfile.write(body[start : start + count])

    def log_message(self, *arguments):
        """The log of the tests stays empty."""


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(server, folder, digest=DIGEST, **options):
    fetch_file(server.url, digest, folder / "fold.bin", **{"pause_s": 0.01, "timeout_s": 5.0} | options)
    return (folder / "fold.bin").read_bytes()


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "fold.bin")


def test_a_download_has_the_bytes_of_the_server_and_leaves_nothing_beside(server, tmp_path):
    assert fetch(server, tmp_path) == BODY
    assert leftovers(tmp_path) == []
    assert len(server.asked) == 1


def test_a_connection_that_breaks_twice_goes_on_where_it_broke(server, tmp_path):
    server.breaks = [1_000_000, 500_000]
    assert fetch(server, tmp_path) == BODY
    assert server.asked == [(None, None), ("bytes=1000000-", '"one"'), ("bytes=1500000-", '"one"')]


def test_another_run_goes_on_where_a_broken_one_ended(server, tmp_path):
    server.breaks = [1_000_000, 0]
    with pytest.raises(InputError, match="run again, which goes on where it broke"):
        fetch(server, tmp_path, attempts=1)
    assert not (tmp_path / "fold.bin").exists()
    assert leftovers(tmp_path) == [".fold.bin.part", ".fold.bin.part.json"]
    assert fetch(server, tmp_path) == BODY
    assert server.asked[2][0] == "bytes=1000000-"


def test_a_run_killed_before_the_last_rename_asks_no_network(server, tmp_path):
    note = {"url": server.url, "sha256": DIGEST, "mark": "", "total": len(BODY)}
    (tmp_path / ".fold.bin.part").write_bytes(BODY)
    (tmp_path / ".fold.bin.part.json").write_text(json.dumps(note))
    assert fetch(server, tmp_path) == BODY
    assert server.asked == []


def test_a_finished_download_asks_no_network(server, tmp_path):
    (tmp_path / "fold.bin").write_bytes(BODY)
    assert fetch(server, tmp_path) == BODY
    assert server.asked == []


@pytest.mark.parametrize("note", ["", "{", '{"url": 1}', '{"url": "http://other/", "sha256": "0", "mark": ""}'])
def test_a_part_of_unknown_origin_is_not_continued(note, server, tmp_path):
    (tmp_path / ".fold.bin.part").write_bytes(OTHER[:1000])
    if note:
        (tmp_path / ".fold.bin.part.json").write_text(note)
    assert fetch(server, tmp_path) == BODY
    assert server.asked == [(None, None)]


def test_a_server_without_ranges_starts_over(server, tmp_path):
    server.ranges, server.breaks = False, [1_000_000, 2_000_000]
    assert fetch(server, tmp_path) == BODY
    assert len(server.asked) == 3


def test_a_server_that_breaks_at_the_same_place_for_ever_is_given_up(server, tmp_path):
    server.ranges, server.breaks = False, [1_000_000] * 50
    with pytest.raises(InputError, match="had 4 attempts in a row without a new byte"):
        fetch(server, tmp_path, attempts=4)
    assert len(server.asked) == 5


def test_a_file_changed_between_attempts_is_never_pieced_together(server, tmp_path):
    server.breaks = [1_000_000]
    server.changes = [(OTHER, '"zero"'), (BODY, '"one"')]
    assert fetch(server, tmp_path) == BODY
    assert server.asked == [(None, None), ("bytes=1000000-", '"zero"')]


@pytest.mark.parametrize("size", [500_000, 2_000_000])
def test_without_etag_another_length_tells_that_the_file_changed(size, server, tmp_path):
    server.etag, server.breaks = "", [1_000_000]
    server.changes = [(OTHER, ""), (OTHER[:size], ""), (BODY, "")]
    assert fetch(server, tmp_path) == BODY
    assert server.asked == [(None, None), ("bytes=1000000-", None), (None, None)]


def test_a_weak_etag_is_no_reason_to_continue_by_it(server, tmp_path):
    server.etag, server.breaks = 'W/"one"', [1_000_000]
    assert fetch(server, tmp_path) == BODY
    assert server.asked[1] == ("bytes=1000000-", None)


def test_wrong_bytes_are_removed_and_named(server, tmp_path):
    server.body = OTHER
    found = hashlib.sha256(OTHER).hexdigest()
    with pytest.raises(InputError) as problem:
        fetch(server, tmp_path)
    assert str(problem.value) == (
        f"{server.url}: its sha256 is {found}; expected {DIGEST}; run again; if it stays so, the file on the server is "
        "another one: ask its authors before you use it"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_login_page_is_told_from_a_file(server, tmp_path):
    server.body = b"\n<!DOCTYPE html><html>Please log in</html>"
    with pytest.raises(InputError, match="it is a web page, so the file may need a login"):
        fetch(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_not_asked_for_again(server, tmp_path):
    server.statuses = [404] * 9
    with pytest.raises(InputError) as problem:
        fetch(server, tmp_path)
    assert str(problem.value) == (
        f"{server.url}: the server answered 404 Not Found; expected the file; look up its new address or whether it "
        "needs a login, and mend 'source' of the dataset"
    )
    assert len(server.asked) == 1


def test_a_server_in_trouble_is_asked_again(server, tmp_path):
    server.statuses = [500, 503, 429]
    assert fetch(server, tmp_path) == BODY
    assert len(server.asked) == 4


def test_a_server_that_stays_in_trouble_is_named(server, tmp_path):
    server.statuses = [500] * 9
    with pytest.raises(InputError, match="answered 500 Internal Server Error; expected the file, had 3 attempts"):
        fetch(server, tmp_path, attempts=3)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/fold.bin", "data:,secret"])
def test_a_redirection_off_the_web_is_refused(target, server, tmp_path):
    server.redirect = target
    with pytest.raises(InputError) as problem:
        fetch(server, tmp_path)
    assert str(problem.value) == (
        f"{server.url}: the server sends on to {target}; expected http(s)://...; do not trust this address, and mend "
        "'source' of the dataset"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_redirection_to_another_server_is_followed(server, tmp_path):
    first = Server()
    first.redirect = server.url
    thread = threading.Thread(target=first.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.breaks = [1_000_000]
    try:
        assert fetch(first, tmp_path) == BODY
    finally:
        first.shutdown()
        thread.join()
        first.server_close()
    assert server.asked[1] == ("bytes=1000000-", '"one"')


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://host/a", "fold.zip", "http://", "http://a b/", "http://["]
)
def test_other_addresses_than_of_the_web_are_refused(url, tmp_path):
    with pytest.raises(InputError, match=r"no address of the web; expected http\(s\)"):
        fetch_file(url, DIGEST, tmp_path / "fold.bin")


def test_a_digest_that_is_none_is_refused(server, tmp_path):
    with pytest.raises(InputError, match="sha256 is 'abc'; expected 64 hexadecimal digits"):
        fetch(server, tmp_path, digest="abc")


def test_a_silent_server_ends_in_a_message(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/fold.bin"
        with pytest.raises(InputError, match="timed out; expected the file, had 2 attempts in a row"):
            fetch_file(url, DIGEST, tmp_path / "fold.bin", attempts=2, timeout_s=0.2, pause_s=0.01)


def test_without_network_address_and_cure_are_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    url = f"http://127.0.0.1:{port}/fold.bin"
    with pytest.raises(InputError) as problem:
        fetch_file(url, DIGEST, tmp_path / "fold.bin", attempts=2, pause_s=0.01)
    assert str(problem.value) == (
        f"{url}: [Errno 111] Connection refused; expected the file, had 2 attempts in a row without a new byte; "
        f"check the network and run again, which goes on where it broke, or put it at {tmp_path}/fold.bin by hand"
    )


def test_a_disk_that_is_too_small_is_found_before_the_download(server, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=2_999_999))
    with pytest.raises(InputError, match=r"no space left \(needs 3000000 bytes more, free are 2999999\)"):
        fetch(server, tmp_path)
    monkeypatch.undo()
    assert fetch(server, tmp_path) == BODY


def test_a_disk_that_becomes_full_is_named(server, tmp_path):
    code = """
import resource, signal, sys
from pathlib import Path
from histoloom.prepare.fetch.download import fetch_file
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
fetch_file(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
"""
    command = [sys.executable, "-c", code, server.url, DIGEST, str(tmp_path / "fold.bin")]
    run = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(SCRIPT.parent)}, capture_output=True, text=True)
    assert "histoloom.errors.InputError" in run.stderr
    assert "cannot be written (File too large)" in run.stderr
    assert (tmp_path / ".fold.bin.part").stat().st_size == 1_000_000
    assert fetch(server, tmp_path) == BODY
    assert server.asked[-1][0] == "bytes=1000000-"


def test_a_full_device_is_named(server, tmp_path, monkeypatch):
    # /dev/full answers each write with "no space left on device".
    monkeypatch.setattr("histoloom.prepare.fetch.download._discard", lambda part: None)
    (tmp_path / ".fold.bin.part").symlink_to("/dev/full")
    with pytest.raises(InputError, match=r"no space left \(No space left on device\); expected room for the download"):
        fetch(server, tmp_path)


def test_progress_grows_to_the_size_of_the_file_over_a_break(server, tmp_path):
    server.breaks = [1_000_000]
    calls = []
    fetch(server, tmp_path, progress=lambda done, total: calls.append((done, total)))
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert calls[-1] == (3_000_000, 3_000_000)
    assert {total for _, total in calls} == {3_000_000}


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


def test_a_log_gets_a_line_every_ten_seconds_and_one_at_the_end(monkeypatch, capsys):
    seconds = iter([0.0, 1.0, 10.0, 11.0, 20.5, 21.0])
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: next(seconds))
    show = line_printer("mine", "images")
    for done in range(1, 6):
        show(done, 5)
    assert (
        capsys.readouterr().err == "mine: 2 of 5 images, 10 s\nmine: 4 of 5 images, 20 s\nmine: 5 of 5 images, 21 s\n"
    )


def test_off_a_terminal_no_bar_is_drawn(capsys):
    with progress_bar("mine", "B") as show:
        show(3_000_000, 3_000_000)
    assert capsys.readouterr().err == "mine: 3 of 3 MB, 0 s\n"
