"""The one exception for what a user can cause, and how a script ends when it is raised."""

import sys
from collections.abc import Callable


class InputError(Exception):
    """Something a user can mend: the message names the file, the value, what was expected and the cure."""


def run(main: Callable[[], None]) -> None:
    """Run a script's `main`; an InputError ends it with its message alone, any other error keeps its traceback."""
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
