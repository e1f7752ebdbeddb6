"""What a user can cause or has to know, and the exit status with which a script ends when it is raised.

Statuses: 1 for something to mend, 3 where another run holds what this one would write, 75 (EX_TEMPFAIL of sysexits.h)
for a run that was asked to stop, has saved, and goes on when started again.
"""

import errno
import sys
import unicodedata
from collections.abc import Callable

DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
CONTROL = ("Cc", "Cs")  # of Unicode: control characters, and halves of pairs, which cannot be written


class InputError(Exception):
    """Something a user can mend: the message names the file, the value, what was expected and the cure."""

    status = 1


class PlaceError(InputError):
    """A place has no room, or this user may not write there: whatever was to be written is not to blame."""


class HeldError(InputError):
    """Another run holds what this one would write; the message names it."""

    status = 3


class StoppedError(Exception):
    """The run was asked to stop and has saved; the message says where, and how it goes on."""

    status = 75


def run(main: Callable[[], None]) -> None:
    """Run a script's `main`; an error of this module, or lack of rights, ends it with message and status.

    Any other error keeps its traceback.
    """
    try:
        main()
    except HeldError as error:
        _end(f"error: {printable(str(error))}", error.status)
    except InputError as error:
        sys.exit(f"error: {printable(str(error))}")  # which is status 1
    except StoppedError as stop:
        _end(f"stopped: {printable(str(stop))}", stop.status)
    except OSError as error:
        if error.errno not in DENIED:
            raise
        place = printable(str(error.filename or "a file"))
        sys.exit(
            f"error: {place}: no access ({error.strerror}); expected files that this user may read, and folders where "
            "it may write;\nchange their rights, or keep the results elsewhere"
        )


def printable(text: str) -> str:
    """Text with control characters but line ends spelt out, so that no file's name can steer a terminal.

    >>> printable("\\x1b[2Jtile.png")
    '\\\\x1b[2Jtile.png'
    """
    return "".join(
        repr(letter)[1:-1] if letter != "\n" and unicodedata.category(letter) in CONTROL else letter for letter in text
    )


def _end(message: str, status: int) -> None:
    print(message, file=sys.stderr)
    sys.exit(status)
