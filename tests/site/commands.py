"""Commands that documents show: those of code blocks, and those in running text that begin with a program of ours."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [
        *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
        *(REPOSITORY / name for name in ("results/README.md", "scripts/qupath/README.md")),
        *(REPOSITORY / "docs").rglob("*.md"),
    ]
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:(?<=\n\n)|\A)((?: {4}.*\n?|\n(?= {4}))+)")
INLINE = re.compile(r"`((?:make|snakemake|python|bash) [^`]+)`")
# Every program that a document may start. A block that begins with another word shows files, output or a drawing.
PROGRAMS = (
    ".venv/bin/python", "QuPath", "apptainer", "audit/bin/pip-audit", "bash", "git", "grep", "make", "monai", "pip",
    "python", "snakemake", "source",
)  # fmt: skip


class Command(NamedTuple):
    """A command as its words, and the document that shows it."""

    document: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.document}: {shlex.join(self.words)}"


def commands_of(document: Path) -> list[Command]:
    """All commands of a document, without comments, in the order of their kinds."""
    text = document.read_text(encoding="utf-8")
    blocks = [body for kind, body in FENCE.findall(text) if kind in ("bash", "sh", "console")]
    rest = FENCE.sub("", text)
    blocks += [block for block in INDENTED.findall(rest) if begins_with_program(block)]
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    lines += [" ".join(found.split()) for found in INLINE.findall(INDENTED.sub("", rest))]
    name = document.relative_to(REPOSITORY).as_posix()
    return [Command(name, words) for line in lines for words in parts_of(line)]


def begins_with_program(block: str) -> bool:
    return block.split(maxsplit=1)[0] in PROGRAMS


def parts_of(line: str) -> list[tuple[str, ...]]:
    """The commands of a line, parted at && and |, without variables set before them."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;")
    lexer.whitespace_split, lexer.commenters = True, "#"
    words, parts = list(lexer), [[]]
    for word in words:
        if word in ("&&", "|", ";"):
            parts.append([])
        elif parts[-1] or not re.fullmatch(r"[A-Z_]+=.*", word):
            parts[-1].append(word)
    return [tuple(part) for part in parts if part]
