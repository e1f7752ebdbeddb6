"""Start a training script in as many processes as asked for: one by itself, several under torchrun.

    python scripts/launch_training.py --processes 2 scripts/train.py --fold 0 ...

When a process ends with an error, that process has said what is wrong, and torchrun's own traceback of a page is left
out. A process that was killed could say nothing: then it is said here.
"""

import ctypes
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping


def main() -> None:
    if sys.argv[1:2] != ["--processes"] or len(sys.argv) < 4:
        sys.exit("usage: launch_training.py --processes N script.py [arguments of the script]")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # else torchrun says so in four lines; train.py sets its own threads
    processes, command = int(sys.argv[2]), sys.argv[3:]
    # torchrun loads torch for itself: one process does without and starts seconds earlier.
    codes = (
        {0: subprocess.run([sys.executable, *command], check=False, preexec_fn=dying_with(os.getpid())).returncode}
        if processes == 1
        else torchrun(processes, command)
    )
    for rank, code in codes.items():
        if code == -signal.SIGKILL:
            print(
                f"error: process {rank} was killed (SIGKILL); unless somebody stopped it, memory ran out;\n"
                "set train.accumulate higher, train.batch_size lower, or give the job more memory; started again\n"
                "it goes on from its last checkpoint",
                file=sys.stderr,
            )
    sys.exit(1 if any(codes.values()) else 0)


def dying_with(launcher: int) -> Callable[[], None]:
    """What a child does before it becomes the script: have Linux kill it when the launcher dies.

    The script asks for that itself, but only once torch is imported. A launcher killed before would leave it running.
    """
    prctl = ctypes.CDLL(None).prctl  # loaded here: between fork and exec little is safe
    pr_set_pdeathsig = 1  # <linux/prctl.h>

    def ask() -> None:
        prctl(pr_set_pdeathsig, signal.SIGKILL)
        if os.getppid() != launcher:  # it died before the call
            os._exit(1)

    return ask


def torchrun(processes: int, command: list[str]) -> Mapping[int, int]:
    """Run the script under torchrun on this machine; the exit status of each rank that failed."""
    try:  # not above: importing torch takes seconds, which one process would wait for in vain
        from torch.distributed import run  # noqa: PLC0415
        from torch.distributed.elastic.multiprocessing.errors import ChildFailedError  # noqa: PLC0415
    except ImportError as error:
        sys.exit(f"error: torchrun cannot be imported ({error}); expected PyTorch 2.11 or newer; run `make env`")
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    os.environ["HISTOLOOM_LAUNCHER_PID"] = str(os.getpid())  # a rank whose parent is another one by then is an orphan
    try:
        run.main(["--standalone", f"--nproc-per-node={processes}", *command])
    except ChildFailedError as error:
        return {rank: failure.exitcode for rank, failure in error.failures.items()}
    return {}


if __name__ == "__main__":
    main()
