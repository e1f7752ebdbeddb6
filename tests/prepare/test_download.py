"""A file from the web: resumed where it broke, checked by its digest, refused where it is not the file."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from histoloom import progress as progress_module
from histoloom.errors import InputError
from histoloom.prepare.fetch.download import fetch_file
from histoloom.progress import line_printer, progress_bar
from tests.prepare.file_server import BODY, DIGEST, OTHER, running_server

SCRIPTS = Path(__file__).parents[2] / "scripts"


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
    server.breaks = [1_000_000]
    with running_server() as first:
        first.redirect = server.url
        assert fetch(first, tmp_path) == BODY
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
    run = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(SCRIPTS)}, capture_output=True, text=True)
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
