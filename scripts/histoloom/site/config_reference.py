"""Writes the reference of the config: a table for each section, from the schema and the comments of the default."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any

from histoloom.errors import InputError
from histoloom.site.config_comments import Comments
from histoloom.site.config_explanations import explanation
from histoloom.site.config_keys import ConfigKey
from histoloom.site.reruns import runs_again
from histoloom.study.config_words import shown

HEAD = "| key | what it means | what it may be | default | runs again first |\n|---|---|---|---|---|"
NO_DEFAULT = ""
PAGE = re.compile(r"docs/([\w/]+\.md)")
# In a comment: mappings with one level within and lists of them, lists, paths, keys of the config. What is code stays.
MAPPING = r"\{(?:[^{}]|\{[^{}]*\})*\}"
LIST = rf"\[(?:{MAPPING}|[^\[\]{{}}])*\]"
PATH = r"\b[\w-]+(?:/(?:<\w+>|[\w.*-]*[\w*]))+"
KEY = r"\b(?:study|train|predict|regions|evaluate|limits)(?:\.[a-z_]+)+"
CODE = re.compile("|".join((r"`[^`]*`", MAPPING, LIST, PATH, KEY)))


def reference(title: str, keys: Sequence[ConfigKey], defaults: Mapping[str, Any], comments: Comments) -> str:
    """The page as Markdown; `title` is what stands above the tables.

    Raises InputError for a key that nothing explains.
    """
    sections = groupby(keys, key=lambda key: key.key.partition(".")[0])
    parts = [_section(name, list(of_section), defaults, comments) for name, of_section in sections]
    return "\n".join([title.rstrip("\n"), *parts])


def _section(name: str, keys: Sequence[ConfigKey], defaults: Mapping[str, Any], comments: Comments) -> str:
    intro = [marked(comments.above[name]), ""] if comments.above.get(name) else []
    rows = [row(key, defaults, comments) for key in keys]
    return "\n".join(["", f"## {name}", "", *intro, HEAD, *rows])


def row(key: ConfigKey, defaults: Mapping[str, Any], comments: Comments) -> str:
    """The line of one key, which is told without its section."""
    cells = (
        f"`{key.key.partition('.')[2]}`",
        _meaning(key, comments),
        key.kind,
        _code(default(key.key, defaults)),
        _first(key),
    )
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def default(key: str, defaults: Mapping[str, Any]) -> str:
    """The value of a key in the default config as it would be written; "" where it has none, or keys of its own rows.

    >>> default("a.b", {"a": {"b": [1, True]}}), default("a.<name>.c", {"a": {}})
    ('[1, true]', '')
    """
    value: Any = defaults
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return NO_DEFAULT
        value = value[part]
    return NO_DEFAULT if isinstance(value, Mapping) and value else shown(value)


def marked(text: str) -> str:
    r"""A comment as Markdown: mappings, lists, paths and keys become code, pages of docs/ links, the rest is escaped.

    >>> print(marked("such as {a: 1}; docs/x.md, train.epochs and 2*bce"))
    such as `{a: 1}`; [x.md](x.md), `train.epochs` and 2\*bce
    """
    ends = [0, *(end for found in CODE.finditer(text) for end in found.span()), len(text)]
    parts = [text[first:last] for first, last in pairwise(ends)]
    return "".join(_as_code(part) if place % 2 else _escaped(part) for place, part in enumerate(parts))


def _as_code(text: str) -> str:
    if page := PAGE.fullmatch(text):
        return f"[{page[1]}]({page[1]})"
    return text if text.startswith("`") else f"`{text}`"


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace("*", r"\*")


def _meaning(key: ConfigKey, comments: Comments) -> str:
    if key.section:
        said = comments.of(key.key)
        return f"{marked(said)}; see [{key.section}](#{key.section})" if said else _other_values(key)
    texts: Iterator[str] = (text for text in (comments.of(key.key), explanation(key.key)) if text)
    text = next(texts, "")
    if not text:
        raise InputError(
            f"config/config.yaml: '{key.key}' has no comment; expected one that says what it is and its unit; add it "
            "beside the key, or to scripts/histoloom/site/config_explanations.py"
        )
    return marked(text)


def _other_values(key: ConfigKey) -> str:
    owner = {"datasets": "this dataset", "architectures": "this architecture", "pairs": "this pair"}
    return f"values of section [{key.section}](#{key.section}) that are others for {owner[key.key.partition('.')[0]]}"


def _first(key: ConfigKey) -> str:
    return f"as in {key.section}" if key.section else runs_again(key.key)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""
