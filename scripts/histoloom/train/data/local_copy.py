"""Copies of a training's pixel files on its node's own disk: random windows are read there without a network."""

import glob
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from histoloom.errors import HeldError, InputError
from histoloom.files import atomic_file, digest_of
from histoloom.lease import Spans, leased
from histoloom.lease_holder import this_host
from histoloom.train.distributed import Ranks, place_in_node, wait_for_all

OWN_DISK = Spans(watch=0.0, settle=0.0)  # nobody but this node writes there, so the lock is the whole truth
MB = 1e6


@contextmanager
def local_copies(files: Sequence[Path], scratch: Path, state: Path, ranks: Ranks) -> Iterator[list[Path]]:
    """Copies of `files` below `scratch`, one set on each node, for the training whose state is in `state`.

    The first process of a node copies and the others wait. At the end the copies go. Those of a run that was killed are
    found, since nobody holds their lease, and removed by the next start on that node. Only this user can read them.
    Raises InputError where `scratch` has no room, or is no folder of this node.
    """
    node, place = place_in_node()
    folder = _own_folder(scratch) / _name(state, node)
    if place > 0:
        wait_for_all(ranks)
        yield [folder / file.name for file in files]
        return
    with leased(folder, OWN_DISK):
        _remove_leftovers(folder.parent)
        try:
            copies = _copied(files, folder)
            wait_for_all(ranks)
            yield copies
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # the next start removes what is left


def _own_folder(scratch: Path) -> Path:
    """A folder of this user alone: in /tmp anybody may make one of any name beforehand."""
    folder = scratch / f"histoloom-{os.getuid()}"
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        facts = folder.lstat()
    except OSError as error:
        raise InputError(
            f"{scratch}: cannot hold the tiles of this training ({error.strerror}); expected a folder on node "
            f"{_host()} to write in;\nset TMPDIR to one, or train.local_scratch: false"
        ) from error
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
        raise InputError(
            f"{folder}: belongs to user number {facts.st_uid} or is no folder; expected one of user {os.getuid()};\n"
            "remove it, set TMPDIR to another folder, or train.local_scratch: false"
        )
    return folder


def _name(state: Path, node: int) -> str:
    # The fingerprint and the job say what it is. The path and the node tell apart what may be at work at once.
    path, job = digest_of(str(state.resolve()).encode())[:8], os.environ.get("SLURM_JOB_ID", "none")
    return f"{_host()}-node{node}-{state.name}-{path}-job{job}"


def _host() -> str:
    return this_host()[0]


def _remove_leftovers(around: Path) -> None:
    # By the name of this node, since `scratch` may after all be shared by several.
    found = around.glob(f"{glob.escape(_host())}-node*")
    for name in {path.name.removesuffix(".lease") for path in found}:
        with suppress(HeldError), leased(around / name, Spans(wait=0.0, watch=0.0, settle=0.0)):
            shutil.rmtree(around / name, ignore_errors=True)


def _copied(files: Sequence[Path], folder: Path) -> list[Path]:
    shutil.rmtree(folder, ignore_errors=True)  # of the same job, killed and started again
    _refuse_lack_of_room(files, folder.parent)
    folder.mkdir(mode=0o700)
    copies = [folder / file.name for file in files]
    assert len(set(copies)) == len(files), files
    for file, copy in zip(files, copies, strict=True):
        with atomic_file(copy) as part:
            shutil.copyfile(file, part)
    return copies


def _refuse_lack_of_room(files: Sequence[Path], place: Path) -> None:
    need, free = sum(file.stat().st_size for file in files), shutil.disk_usage(place).free
    if need > free:
        raise InputError(
            f"{place}: {free / MB:,.1f} MB free on node {_host()}; expected {need / MB:,.1f} MB for the tiles of this "
            "training;\nfree some, set TMPDIR to a larger disk, or train.local_scratch: false"
        )
