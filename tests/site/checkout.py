"""A copy of the checkout in which documented commands run: with the environment of the tests, and without a network."""

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from tests.site.commands import REPOSITORY
from tests.study.test_snakemake import copy_workflow

FOLDERS, FILES = ("docs", "tests"), ("Makefile", "README.md", "pyproject.toml", "results/README.md")
STAND_INS = Path(__file__).parent / "stand_ins"
MONAI = "python -m monai.bundle "
WHEEL = {
    "pip_audit.py": (STAND_INS / "pip_audit.py").read_text(encoding="utf-8"),
    "pip_audit-0.dist-info/METADATA": "Metadata-Version: 2.1\nName: pip-audit\nVersion: 0\n",
    "pip_audit-0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "pip_audit-0.dist-info/entry_points.txt": "[console_scripts]\npip-audit = pip_audit:main\n",
    "pip_audit-0.dist-info/RECORD": "",
}


class Checkout:
    """The copy, a repository to clone beside it, and `run` for lines of a shell."""

    def __init__(self, above: Path):
        self.folder, self.origin = above / "checkout", above / "origin"
        self.folder.mkdir()
        copy_checkout(self.folder)
        lay_environment(self.folder / ".venv")
        write_origin(self.origin)
        programs, wheels = above / "programs", above / "wheels"
        write_programs(programs)
        write_wheel(wheels)
        self.environment = environment([programs, self.folder / ".venv" / "bin"], wheels)

    def run(self, lines: Sequence[str], seconds: float) -> subprocess.CompletedProcess:
        """Run lines in one shell, which ends at the first that fails; what they print is in one text."""
        return subprocess.run(
            ["bash", "-eo", "pipefail", "-c", "\n".join(joined(lines))], cwd=self.folder, env=self.environment,
            timeout=seconds, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip


def joined(lines: Sequence[str]) -> Iterator[str]:
    """The lines, but those for MONAI that follow each other as one."""
    for is_monai, found in itertools.groupby(lines, lambda line: line.startswith(MONAI)):
        some = list(found)
        yield from [shlex.join(["python", str(STAND_INS / "one_start.py"), *some])] if is_monai else some


def copy_checkout(folder: Path) -> None:
    """Copy what a clone holds and documented commands need."""
    copy_workflow(folder)
    for name in FOLDERS:
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy2(REPOSITORY / name, folder / name)


def lay_environment(folder: Path) -> None:
    """Lay .venv with links to what runs the tests, and the mark by which `make env` knows that all is installed."""
    folder.mkdir()
    for path in Path(sys.prefix).iterdir():
        if not path.name.startswith("installed-"):
            (folder / path.name).symlink_to(path)
    digest = sha256((REPOSITORY / "envs" / "lock.txt").read_bytes()).hexdigest()[:16]
    (folder / f"installed-{digest}").touch()


def write_origin(folder: Path) -> None:
    """A repository to clone, whose lock asks for no package, so that `make env` installs without a network."""
    (folder / "envs").mkdir(parents=True)
    shutil.copy2(REPOSITORY / "Makefile", folder)
    (folder / "envs" / "lock.txt").write_text("# nothing\n")
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "all"]):
        subprocess.run([*git, *words], cwd=folder, check=True)


def write_programs(folder: Path) -> None:
    """Programs that documents name and that are not installed with the tests."""
    folder.mkdir()
    programs = {
        "QuPath": shlex.join(["exec", sys.executable, str(STAND_INS / "qupath.py")]) + ' "$@"',
        "singularity": "echo apptainer version 1.4.0",  # Snakemake asks for no more while it plans
        "python3.11": f'exec {shlex.quote(sys._base_executable)} "$@"',  # a newer one serves, too
    }
    for name, line in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)


def write_wheel(folder: Path) -> None:
    """A package called pip-audit that brings the stand-in's command."""
    folder.mkdir()
    with zipfile.ZipFile(folder / "pip_audit-0-py3-none-any.whl", "w") as wheel:
        for name, text in WHEEL.items():
            wheel.writestr(name, text)


def environment(programs: list[Path], wheels: Path) -> dict[str, str]:
    """The tests' own with these programs first, nothing that make hands down, and no registry or cluster to ask."""
    kept = {name: value for name, value in os.environ.items() if not re.match(r"MAKE|MFLAGS|SNAKEMAKE_", name)}
    path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
    # The tests that a document runs belong to this suite: here they are only found.
    tests = {"PYTEST_ADDOPTS": "--collect-only", "OMP_NUM_THREADS": "1"}
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "SLURM_CONF": "/dev/null"}
    return kept | tests | offline | {"PATH": path}
