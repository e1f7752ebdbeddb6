"""Start a training script under torchrun, in as many processes as asked for.

    python scripts/launch_training.py --processes 2 scripts/train.py --fold 0 ...

It is torchrun itself, but for one thing: when a process ends with an error, that process has said what is wrong, and
torchrun's own traceback of a page is left out.
"""

import logging
import os
import sys

from torch.distributed import run as torchrun
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError


def main() -> None:
    if sys.argv[1:2] != ["--processes"] or len(sys.argv) < 4:
        sys.exit("usage: launch_training.py --processes N script.py [arguments of the script]")
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # else torchrun says so in four lines; train.py sets its own threads
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    try:
        torchrun.main(["--standalone", f"--nproc-per-node={sys.argv[2]}", *sys.argv[3:]])
    except ChildFailedError as error:
        sys.exit(max(failure.exitcode for failure in error.failures.values()) or 1)


if __name__ == "__main__":
    main()
