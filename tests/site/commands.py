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
INLINE = re.compile(r"`((?:apptainer|bash|make|python|sha256sum|snakemake) [^`]+)`")
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


class Shown(NamedTuple):
    """Lines for a shell that a document shows together: those of a block, or the one of a piece of running text."""

    document: str
    lines: tuple[str, ...]
    is_block: bool


def shown_in(document: Path) -> list[Shown]:
    """All lines for a shell of a document, in its order; comments are left out, and a line that goes on is one."""
    text = document.read_text(encoding="utf-8")
    fenced = [(found.start(), found[2]) for found in FENCE.finditer(text) if found[1] in ("bash", "sh", "console")]
    rest = FENCE.sub(_emptied, text)
    indented = [(found.start(), found[1]) for found in INDENTED.finditer(rest) if begins_with_program(found[1])]
    running = INLINE.finditer(INDENTED.sub(_emptied, rest))
    inline = [(found.start(), (" ".join(found[1].split()),), False) for found in running]
    blocks = [(start, _lines(body), True) for start, body in fenced + indented]
    name = document.relative_to(REPOSITORY).as_posix()
    return [Shown(name, lines, is_block) for _, lines, is_block in sorted(blocks + inline)]


def _emptied(found: re.Match[str]) -> str:
    """As many line ends, so that all else keeps its place."""
    return "\n" * len(found[0])


def _lines(block: str) -> tuple[str, ...]:
    lines = (re.sub(r" +# .*", "", line).strip() for line in re.sub(r" *\\\n *", " ", block).splitlines())
    return tuple(line for line in lines if line)


def commands_of(document: Path) -> list[Command]:
    """All commands of a document, in its order."""
    shown = shown_in(document)
    return [Command(one.document, words) for one in shown for line in one.lines for words in parts_of(line)]


def begins_with_program(block: str) -> bool:
    return (block.split(maxsplit=1) or [""])[0] in PROGRAMS


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
