"""The documents of messages: a text for each row of the table of faults, with a part for each case.

REWRITE_MESSAGES=1 in the environment writes what is said now into them. The test then fails once and shows the
difference, so that somebody reads it.
"""

import difflib
import os
import shlex
from pathlib import Path

from tests.bad_input.case import Case

FOLDER = Path(__file__).parent / "messages"
SWITCH = "REWRITE_MESSAGES"
HEAD = "== "


def part(case: Case, status: int, text: str, shown: str) -> str:
    """What the document says of a case: the command, its words, the exit status, and what became of the input."""
    command = " ".join(repr(word) if "\n" in word else shlex.quote(word) for word in case.words)
    limits = f"HISTOLOOM_LIMITS={case.limits} " if case.limits else ""
    lines = [f"$ {limits}{command}", *text.rstrip("\n").split("\n"), f"exit {status}"]
    return "\n".join([line for line in lines if line] + ([shown] if shown else []))


def difference(case: Case, found: str, order: list[str]) -> str:
    """How what is said now differs from the document, as a diff; "" where it does not. Rewrites it if so told.

    `order` are the names of all cases of the row.
    """
    parts = read(case.row)
    expected = parts.get(case.name, "")
    if found == expected:
        return ""
    lines = difflib.unified_diff(expected.splitlines(), found.splitlines(), "document", "now", lineterm="")
    if os.environ.get(SWITCH):
        write(case.row, parts | {case.name: found}, order)
    return "\n".join(lines)


def read(row: str) -> dict[str, str]:
    """The parts of a row's document by the names of their cases."""
    path = FOLDER / f"{row}.txt"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    parts = (each.partition("\n") for each in f"\n{text}".split(f"\n{HEAD}")[1:])
    return {name: body.strip("\n") for name, _, body in parts}


def write(row: str, parts: dict[str, str], order: list[str]) -> None:
    """Write a row's document in the order of the table; what is no case any more goes."""
    known = [name for name in order if name in parts]
    text = "\n\n".join(f"{HEAD}{name}\n{parts[name]}" for name in known)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{row}.txt").write_text(f"{text}\n", encoding="utf-8")
