"""Disks that are full or cannot be written to, made for a test; mounting needs root and is skipped without."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BLOCK = 4096


@contextmanager
def small_disk(folder: Path, mib: int = 8) -> Iterator[Path]:
    """`folder` as a disk of its own, in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={mib}m", "none", folder)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def filled(folder: Path, free: int) -> Iterator[None]:
    """The disk of `folder` with only `free` bytes left."""
    space = os.statvfs(folder)
    filler = folder / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(space.f_bavail * space.f_frsize - free, 1))
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def mounted_read_only(folder: Path) -> Iterator[None]:
    """`folder` as on a disk that is mounted read-only."""
    _mount("--bind", folder, folder)
    try:
        _mount("-o", "remount,ro,bind", folder)
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def without_rights(folder: Path, mode: int) -> Iterator[None]:
    """`folder` with that mode."""
    folder.chmod(mode)
    try:
        yield
    finally:
        folder.chmod(0o755)


def _mount(*words: str | Path) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")
