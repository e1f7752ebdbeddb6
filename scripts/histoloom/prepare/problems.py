"""What is said of raw files that cannot become samples: in the log, in the table of skipped files, and at the end."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from histoloom.errors import InputError


def escaped(name: str) -> str:
    """A file's name on one line: control characters, and bytes that are no text, as Python writes them.

    >>> escaped("two\\nlines.png")
    'two\\\\nlines.png'
    """
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in name)


def shown(problem: object) -> str:
    """A problem, which begins with a file's name and a colon, with that name escaped; and all else as text."""
    name, colon, rest = str(problem).partition(": ")
    return escaped(name) + colon + rest.encode(errors="backslashreplace").decode()


def skipped_row(problem: str) -> tuple[str, str]:
    """File and reason of a problem, for the table of skipped files; a file may have a colon in its name."""
    parts = problem.split(": ")
    names = [": ".join(parts[:count]) for count in range(1, len(parts))]
    name = next((name for name in names if _exists(name)), parts[0])
    return name, " ".join(problem.removeprefix(name).removeprefix(": ").split())


def check_outcome(name: str, reader: str, sound: int, problems: Sequence[str], on_bad_image: str) -> None:
    """Refuse a dataset with problems that are to stop it, or without a sound image; raises InputError."""
    if problems and on_bad_image == "stop":
        raise InputError(
            f"dataset '{name}': {_counted(len(problems), 'problem')} with its files, beside "
            f"{_counted(sound, 'sound image')}; expected none; mend or remove these files (all are named above), or "
            f"set prepare.on_bad_image: skip. The first:\n{problems[0]}"
        )
    if not sound:
        problem = _counted(len(problems), "problem")
        found = f"no sound image, {problem}" if problems else f"the reader '{reader}' found no image"
        raise InputError(f"dataset '{name}': {found}; expected at least one; check 'root' and the reader's options")


def given_once(options: Iterable[tuple[str, object]]) -> dict[str, object]:
    """Options of the command line by name; raises InputError for one that is given twice: a value would be lost."""
    found: dict[str, object] = {}
    for key, value in options:
        if key in found:
            raise InputError(
                f"option {key}: given twice, '{found[key]}' and '{value}'; expected once; write several values as a "
                f"list, such as {key}=['a', 'b']"
            )
        found[key] = value
    return found


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _exists(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # longer than a name may be, or with a zero in it: a message and no name
        return False
