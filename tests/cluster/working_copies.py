"""Working copies of this tree, in which whole studies run: what git does not ignore, and the images of the demo."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEMO = Path("data/demo")


def lay(folder: Path) -> Path:
    """Copy the tree as it stands, changes that are not committed included, and the demo's images into `folder`."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if os.path.lexists(ROOT / name):  # else it is removed, which is not committed yet
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name, follow_symlinks=False)
    shutil.copytree(ROOT / DEMO, folder / DEMO)
    return folder


def snakemake(copy: Path, *arguments: str, log: Path, seconds: float) -> int:
    """Run snakemake in a copy, its words in `log`; its exit status, -9 where it was killed after `seconds`."""
    with started(copy, *arguments, log=log) as running:
        try:
            return running.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            return running.wait()


def started(copy: Path, *arguments: str, log: Path) -> subprocess.Popen:
    """Start snakemake in a copy and a process group of its own, its words at the end of `log`."""
    command: Sequence[str] = (sys.executable, "-m", "snakemake", *arguments)
    with log.open("a") as words:
        print(*command, file=words, flush=True)
        return subprocess.Popen(
            command, cwd=copy, stdin=subprocess.DEVNULL, stdout=words, stderr=words, start_new_session=True
        )
