"""The page on messages quotes what is really said, and leaves out no message that a test of bad input meets."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
DOCUMENTS = sorted((REPOSITORY / "tests" / "bad_input" / "messages").glob("*.txt"))
MESSAGE = re.compile(r"(?:(?:error|bad image|warning): |\S+\.yaml:\d+: |--config: |(?=studies/\S+: ))(.*)")
HEADLINE = "the config has "  # stands in the text above its table
FROM_CODE = ("While it runs", "Exported models")  # sections whose messages no document of bad input has
SNAKEMAKE = "Directory cannot be locked"


def quoted_messages(section: str) -> list[str]:
    """What the first column of a section's table has in backticks."""
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [text for row in rows for text in re.findall(r"`([^`]+)`", row.split(" | ")[0])]


def pattern(quoted: str) -> re.Pattern:
    """A quoted message as a pattern, which begins where a message or one of its parts does."""
    parts = (re.escape(part) for part in quoted.split("..."))
    return re.compile(rf"(?:^|: ){'.*'.join(parts)}")


SECTIONS = {section.partition("\n")[0]: section for section in PAGE.split("\n## ")[1:]}
SAID = {
    found[1]
    for document in DOCUMENTS
    for line in document.read_text(encoding="utf-8").splitlines()
    if (found := MESSAGE.match(line)) and not found[1].startswith(HEADLINE)
}
QUOTED = [text for name, section in SECTIONS.items() if name not in FROM_CODE for text in quoted_messages(section)]
PATTERNS = [pattern(text) for text in QUOTED]


@pytest.mark.parametrize("quoted", QUOTED)
def test_a_quoted_message_is_one_that_is_said(quoted):
    assert any(pattern(quoted).search(message) for message in SAID)


@pytest.mark.parametrize("message", sorted(SAID))
def test_a_message_that_is_said_stands_on_the_page(message):
    # A name with a line break in it leaves half a message, which says nothing to look for.
    assert any(one.search(message) for one in PATTERNS) or message == "slides/a"


@pytest.mark.parametrize("quoted", [text for name in FROM_CODE for text in quoted_messages(SECTIONS[name])])
def test_a_quoted_message_that_no_document_has_stands_in_the_code(quoted):
    assert quoted == SNAKEMAKE or all(
        part.strip("\n") in texts_of_code() for part in re.split(r"; \.\.\.|\.\.\.", quoted)
    )


@cache
def texts_of_code() -> str:
    """All literal texts of the scripts and their library, parts of an f-string each by itself."""
    files = sorted((REPOSITORY / "scripts").rglob("*.py"))
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    return "\n".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))
