"""What a lease file says of the run that holds it: one line of JSON of a fixed length, which no beat changes."""

import getpass
import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

LENGTH = 2048  # bytes of the file
WORD = 64  # letters of a name that are kept
BOOT = Path("/proc/sys/kernel/random/boot_id")  # Linux


@dataclass(frozen=True)
class Holder:
    """A run that holds a lease: who, where, since when (by the clock of its host), and how often it has beaten."""

    user: str
    host: str
    boot: str  # tells hosts of one name apart, and a host from itself before it was started anew
    pid: int
    job: str
    since: str
    token: str
    beat: int = 0

    def __str__(self) -> str:
        return f"user {self.user}, host {self.host}, process {self.pid}, job {self.job}, since {self.since}"

    @property
    def ending(self) -> str:
        """The command that ends it, on its host."""
        return f"kill {self.pid}" if self.job == "none" else f"scancel {self.job.partition(' ')[0]}"

    def shares_a_kernel_with(self, other: "Holder") -> bool:
        """Whether the locks of one are seen by the other, whatever the file system."""
        return (self.host, self.boot) == (other.host, other.boot)

    def line(self) -> bytes:
        """The whole file."""
        line = json.dumps(asdict(self), ensure_ascii=False).encode()
        assert len(line) < LENGTH, line
        return line.ljust(LENGTH - 1) + b"\n"


def this_run() -> Holder:
    """The run of this process, with a token that no other has."""
    host, boot = this_host()
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Holder(_word(_user()), _word(host), boot, os.getpid(), _word(_job()), since, secrets.token_hex(16))


def this_host() -> tuple[str, str]:
    """Its name, and what Linux drew at its start; nothing where there is no such file."""
    return socket.gethostname(), BOOT.read_text(encoding="ascii").strip() if BOOT.is_file() else ""


def holder_of(line: bytes) -> Holder | None:
    """Who holds the lease by what its file says; None where it says nothing that we write.

    >>> holder_of(b"") is None
    True
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or any(type(found.get(each.name)) is not each.type for each in fields(Holder)):
        return None
    values = {each.name: found[each.name] for each in fields(Holder)}
    # Others may write in a shared folder, and what they write is shown on a terminal.
    return Holder(**{name: _word(value) if isinstance(value, str) else value for name, value in values.items()})


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container a number may have no name
        return f"number {os.getuid()}"


def _job() -> str:
    job, restarts = (os.environ.get(f"SLURM_{name}", "") for name in ("JOB_ID", "RESTART_COUNT"))
    return f"{job} restart {restarts}" if job and restarts else job or "none"


def _word(text: str) -> str:
    return "".join(letter for letter in text[:WORD] if letter.isprintable())
