"""Two runs of the same work: the second ends with a message and has changed nothing (row F7)."""

import hashlib
import os
import signal
import subprocess
import sys
import time

import psutil

from tests.faults.fault_cases import training

HELD = 3
STOPPED_AFTER_TWO_STEPS = {"KILL_AFTER_STEPS": "2", "KILL_BY": "SIGSTOP", "KILL_WHOM": "self", "KILL_RANK": "0"}


def fingerprints(folder, but=()):
    """Hash of every file, but for those below folders of the names `but`."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not set(but) & set(path.parts)
    }


def test_a_second_trainer_is_told_who_is_at_work_and_changes_nothing(trainer, undisturbed, tmp_path):
    work = training(tmp_path / "case", loader_workers=0)
    first = trainer.start(work.words, STOPPED_AFTER_TWO_STEPS)  # so that all that changes is the second one's doing
    while psutil.Process(first.pid).status() != psutil.STATUS_STOPPED:
        assert not first.has_ended(0.01), first.said()
    before = fingerprints(work.folder)
    status, said = trainer.run(work.words)
    assert status == HELD, said
    assert f", process {first.pid}, " in said
    assert "Traceback" not in said
    assert fingerprints(work.folder) == before
    first.send(signal.SIGCONT)
    assert first.wait() == 0, first.said()
    assert work.result() == undisturbed
    assert work.litter() == []


def test_a_second_snakemake_is_told_of_the_lock_and_changes_nothing(tmp_path):
    (tmp_path / "Snakefile").write_text('rule slow:\n    output: "out"\n    shell: "sleep 600; echo done > {output}"\n')
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "out"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    first = subprocess.Popen(command, cwd=tmp_path, start_new_session=True, **quiet)
    try:
        while not list((tmp_path / ".snakemake" / "incomplete").glob("*")):  # it has begun its job
            assert first.poll() is None
            time.sleep(0.05)
        before = fingerprints(tmp_path, but=("log",))
        second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert second.returncode == 1
        assert "Directory cannot be locked" in second.stderr
        assert fingerprints(tmp_path, but=("log",)) == before
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
