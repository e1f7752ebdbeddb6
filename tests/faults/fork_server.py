"""Starts scripts by forking a process that has imported what they import: each starts in a fraction of a second.

One line of JSON on standard input starts a script: {"words": [...], "log": path, "environment": {...}, "ahead": name,
"limits": {...}}. Answered are {"pid": ...} and, when a process ends, {"pid": ..., "status": ...}. Each script
is the leader of a session of its own, by which what it leaves running is found, and dies with this server. Nothing is
computed by torch before the fork, for threads do not survive it.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import resource
import runpy
import selectors
import signal
import sys
import time
import traceback
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
CAPABILITY_VERSION_3 = 0x20080522  # <linux/capability.h>


def serve() -> dict:
    """Answer until the input ends; returns only in a forked child, with what it is to run."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # so that the pipe tells of it
    signal.set_wakeup_fd(write)
    with selectors.DefaultSelector() as events:
        events.register(sys.stdin, selectors.EVENT_READ)
        events.register(read, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in events.select()]
            if read in ready:
                os.read(read, 4096)
                answer_ends()
            if sys.stdin in ready:
                line = os.read(sys.stdin.fileno(), 1 << 20)  # one at a time, for each is answered first
                if not line:
                    os._exit(0)
                child = os.fork()
                if child == 0:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    os.close(read)
                    os.close(write)
                    return json.loads(line)
                answer({"pid": child})


def answer_ends() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        answer({"pid": pid, "status": os.waitstatus_to_exitcode(status)})


def answer(value: dict) -> None:
    print(json.dumps(value), flush=True)


def become(request: dict) -> None:
    """Make this process the one that was asked for, all but for running it."""
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    nothing, log = os.open(os.devnull, os.O_RDONLY), os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for source, place in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, place)
    os.environ.update(request["environment"])
    limits = request["limits"]
    if "room" in limits:  # the largest file, in bytes; Python ignores the signal, so a write fails as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits["room"], resource.RLIM_INFINITY))
    if "memory" in limits:  # bytes beyond what is taken now
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + limits["memory"], resource.RLIM_INFINITY))
    if "clock" in limits:  # seconds by which the wall clock jumps, there and back, at each second look
        jump_about(limits["clock"])
    if limits.get("rights") is False:
        give_up_rights()


def give_up_rights() -> None:
    """Bind even root to the modes of files, by giving up all capabilities."""
    header, none = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    if os.geteuid() == 0 and ctypes.CDLL(None, use_errno=True).capset(header, none):
        raise OSError(ctypes.get_errno(), "capset")


def jump_about(seconds: float) -> None:
    real, looks = time.time, iter(range(1 << 62))
    time.time = lambda: real() + seconds * (next(looks) % 2)


def load(imports: list[str]) -> None:
    """Load what scripts import, by running their files without their main."""
    for path in imports:
        runpy.run_path(str(SCRIPTS / path), run_name="imported")
    if "train.py" in imports:
        importlib.import_module("torch._dynamo")  # five seconds of each training: the first optimiser loads it


def status_of(request: dict) -> int:
    """Run the script; the status with which Python would end, all else that it says at the end said."""
    sys.argv = request["words"]
    try:
        if request["ahead"]:
            runpy.run_path(request["ahead"], run_name="ahead")
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def leave(status: int) -> None:
    """End as Python does, but for taking a thousand imported modules apart, which would take most of the time."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    sys.path.insert(0, str(SCRIPTS))
    load(sys.argv[1:])
    gc.freeze()  # so that collections do not copy the pages of what was imported
    answer({"ready": os.getpid()})
    asked = serve()
    become(asked)
    leave(status_of(asked))
