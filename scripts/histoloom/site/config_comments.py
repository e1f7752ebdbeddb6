"""Reads the comments of a config file, by the key that they stand at."""

import re
from dataclasses import dataclass, field

KEY = re.compile(r"(?P<indent> *)(?P<name>\w+):(?P<rest>.*)")
COMMENT = re.compile(r" *# ?(?P<text>.*)")
TRAILING = re.compile(r"(?:^|\s)# (?P<text>.*)$")
DEEPEST = (
    12  # column up to which a comment stands above a key; further to the right it goes on with what was beside one
)
OF_SEVERAL = ("The next ", "The last ")  # how a comment begins that is about several keys


@dataclass
class Comments:
    """What a config file says of its keys; a key is dotted, such as "train.epochs".

    - beside: what stands in a key's line, and in the lines below that go on with it
    - above: what stands in the lines before a key, at its indentation
    """

    beside: dict[str, str] = field(default_factory=dict)
    above: dict[str, str] = field(default_factory=dict)

    def of(self, key: str) -> str:
        """The explanation of a key: what stands beside it, then what stands above it, joined by a full stop."""
        above = self.above.get(key, "")
        parts = (self.beside.get(key, ""), "" if above.startswith(OF_SEVERAL) else above)
        return ". ".join(part.rstrip(".") for part in parts if part)


def read_comments(text: str) -> Comments:
    """Comments of a config in block style, two spaces a level.

    >>> read_comments("a:\\n  # Above.\\n  b: 1  # beside\\n                # and on\\n").of("a.b")
    'beside and on. Above'
    """
    found, way, waiting, last = Comments(), [], [], ""
    for line in text.splitlines():
        comment, key = COMMENT.fullmatch(line), KEY.fullmatch(line)
        if comment and last in found.beside and line.index("#") > DEEPEST:
            found.beside[last] += f" {comment['text']}"
        elif comment:
            waiting.append(comment["text"])
        elif key:
            way = [*way[: len(key["indent"]) // 2], key["name"]]
            last = ".".join(way)
            found.above[last], waiting = " ".join(waiting), []
            if trailing := TRAILING.search(key["rest"]):
                found.beside[last] = trailing["text"]
        else:  # an empty line, after which a comment is about nothing that follows directly
            waiting = []
    return found
