"""What a user can cause or has to know, and the exit status with which a script ends when it is raised.

Statuses: 1 for something to mend, 3 where another run holds what this one would write, 75 (EX_TEMPFAIL of sysexits.h)
for a run that was asked to stop, has saved, and goes on when started again.
"""

import sys
from collections.abc import Callable


class InputError(Exception):
    """Something a user can mend: the message names the file, the value, what was expected and the cure."""

    status = 1


class HeldError(InputError):
    """Another run holds what this one would write; the message names it."""

    status = 3


class StoppedError(Exception):
    """The run was asked to stop and has saved; the message says where, and how it goes on."""

    status = 75


def run(main: Callable[[], None]) -> None:
    """Run a script's `main`; an error of this module ends it with message and status, any other keeps its traceback."""
    try:
        main()
    except HeldError as error:
        _end(f"error: {error}", error.status)
    except InputError as error:
        sys.exit(f"error: {error}")  # which is status 1
    except StoppedError as stop:
        _end(f"stopped: {stop}", stop.status)


def _end(message: str, status: int) -> None:
    print(message, file=sys.stderr)
    sys.exit(status)
