"""A process and the one that started it: the first dies with the second, so that nothing goes on writing alone."""

import ctypes
import signal

LAUNCHER_PID = "HISTOLOOM_LAUNCHER_PID"  # told to ranks: one with another parent is an orphan
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_prctl = ctypes.CDLL(None, use_errno=True).prctl  # loaded here: between fork and exec little is safe


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies; a parent that is gone already sends nothing any more."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
