"""Which images belong together, told by their names: what is of one patient must not straddle folds."""

import re

from histoloom.errors import InputError

# A TCGA barcode starts with project, site and participant: slides of one participant share the first twelve characters.
TCGA_PARTICIPANT = r"TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}"
NAMED = {"name": r".+", "tcga_participant": TCGA_PARTICIPANT}


def group_of(name: str, pattern: str) -> str:
    """The part of `name` that `pattern` finds: its first bracketed group, or the whole match.

    `pattern` is a regular expression, or one of these words: "name" (each image is its own group), "tcga_participant".
    Raises InputError where it finds nothing, or is no regular expression.

    >>> group_of("TCGA-CR-7395-01A-01-TS1", "tcga_participant")
    'TCGA-CR-7395'
    >>> group_of("case12_tile3", r"(case\\d+)_")
    'case12'
    """
    expression = NAMED.get(pattern, pattern)
    try:
        found = re.search(expression, name)
    except re.error as error:
        raise InputError(
            f"group pattern: '{pattern}' is no regular expression ({error}); expected one, or "
            f"{' or '.join(NAMED)}; mend it"
        ) from error
    if not found:
        raise InputError(
            f"{name}: has nothing that matches the group pattern '{pattern}'; expected a case, patient or slide in "
            "the name; change the pattern, or the name"
        )
    return found[1] if found.re.groups and found[1] else found[0]
