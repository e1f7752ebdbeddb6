"""Where a result comes from: versions of packages, commit of the code, digest of the data."""

import hashlib
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def package_versions(names: Sequence[str]) -> dict[str, str]:
    """Installed version of Python and of each package, "not installed" where it is absent."""
    return {"python": platform.python_version(), **{name: _version(name) for name in names}}


def commit(folder: Path) -> str:
    """Commit that is checked out in `folder`, with a note where files differ from it; else "not a git checkout"."""
    head = _git(folder, "rev-parse", "HEAD")
    if not head:
        return "not a git checkout"
    changed = _git(folder, "status", "--porcelain")
    return f"{head} with uncommitted changes" if changed else head


def data_digest(index: Iterable[Mapping[str, str]]) -> str:
    """SHA-256 over the names and pixel digests of all images of an index, whatever the order of its rows."""
    lines = sorted(f"{row['name']} {row['sha256']}\n" for row in index)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
