"""What a model card is made of, so that its page and its Markdown say the same; and the Markdown."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

SPECIAL = re.compile(r"[\\`*\[\]|~$]|(?<!\w)_|_(?!\w)|^[=#]|^[-+](?=\s)|^\d+(?=[.)]\s)")  # what would be markup


@dataclass(frozen=True)
class Text:
    """A paragraph; a note is one that warns."""

    text: str
    is_note: bool = False


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Facts:
    """Names with their values; where `folded` says something, it unfolds them."""

    rows: tuple[tuple[str, str], ...]
    folded: str = ""


@dataclass(frozen=True)
class Table:
    """A table; the first `names` columns are text, the others numbers. `about` says what it shows."""

    about: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 1


@dataclass(frozen=True)
class Code:
    """Lines to run or to put into a file; `language` as Markdown calls it."""

    text: str
    language: str


Block = Text | Items | Facts | Table | Code


@dataclass(frozen=True)
class Part:
    """A titled part of a card."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Card:
    """A model card. `about` is one sentence; `matter` is what machines read of it, the front matter of the Markdown."""

    title: str
    about: str
    parts: tuple[Part, ...]
    matter: Mapping[str, Any]


def markdown(card: Card) -> str:
    """The card as Markdown with YAML front matter, the form in which model hubs take it; names stay text."""
    matter = yaml.safe_dump({**card.matter}, sort_keys=False, allow_unicode=True, width=120)
    lines = ["---", matter.rstrip(), "---", "", f"# {escaped(card.title)}", "", escaped(card.about), ""]
    for part in card.parts:
        lines += [f"## {escaped(part.title)}", ""]
        for block in part.blocks:
            lines += [*_lines(block), ""]
    return "\n".join(lines).rstrip() + "\n"


def escaped(text: str) -> str:
    """Text as Markdown shows it, on one line, whatever it holds: neither markup nor HTML.

    >>> escaped("unet_small: *two* <b>|")
    'unet_small: \\\\*two\\\\* &lt;b&gt;\\\\|'
    """
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # A digit cannot be escaped, the dot after it can: "1. x" would begin a list.
    return SPECIAL.sub(lambda found: found[0] + "\\" if found[0].isdigit() else "\\" + found[0], plain)


def _lines(block: Block) -> Iterator[str]:
    match block:
        case Text():
            yield f"> **Note.** {escaped(block.text)}" if block.is_note else escaped(block.text)
        case Items():
            yield from (f"- {escaped(item)}" for item in block.items)
        case Facts():
            yield from [f"**{escaped(block.folded)}**", ""] if block.folded else []
            yield from (f"- {escaped(name)}: {escaped(value)}" for name, value in block.rows)
        case Table():
            yield from (f"**{escaped(block.about)}**", "", _row(block.heads))
            yield _row(["---" if place < block.names else "---:" for place in range(len(block.heads))], is_plain=True)
            yield from map(_row, block.rows)
        case Code():
            # A fence longer than any in the text cannot be closed by it.
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", block.text)), default=0))
            yield from (f"{fence}{block.language}", block.text, fence)


def _row(cells: Sequence[str], is_plain: bool = False) -> str:
    return "| " + " | ".join(cells if is_plain else map(escaped, cells)) + " |"
