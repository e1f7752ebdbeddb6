"""Start a training script in as many processes as asked for, on one machine or on the nodes of a Slurm job.

    python scripts/launch_training.py --nodes 1 --processes 2 --cores 2 scripts/train.py --fold 0 ...

One process runs by itself, several under torchrun. With --starter srun, in a Slurm job, each of several nodes runs
torchrun; without, the processes of all nodes run on this machine, and the result is the same.

When a process ends with an error, that process has said what is wrong, and torchrun's own traceback of a page is left
out. A process that was killed could say nothing: then it is said here.
"""

import argparse
import os
import signal
import sys

from histoloom.errors import run
from histoloom.train.launching import (
    PASSED_ON,
    killed_note,
    meeting_of_nodes,
    run_child,
    run_ranks,
    run_under_srun,
    status,
)


def main() -> None:
    arguments = parse()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # else torchrun says so in four lines; train.py sets its own threads
    codes = started(arguments)
    for rank, code in codes.items():
        if code == -signal.SIGKILL:
            print(killed_note(rank), file=sys.stderr)
    sys.exit(status(codes))


def started(arguments: argparse.Namespace) -> dict[int, int]:
    """Run to the end; the exit status of each process that failed."""
    nodes, processes, command = arguments.nodes, arguments.processes, arguments.command
    if arguments.agent:
        return dict(run_ranks(processes, command, meeting_of_nodes(nodes, os.environ)))
    if arguments.starter == "srun":
        # Also on one node: what srun starts is what Slurm asks to stop, and not what that has started in turn.
        agent = ["--agent"] if nodes > 1 else []
        launcher = [sys.executable, __file__, *agent, "--nodes", str(nodes), "--processes", str(processes), *command]
        return {0: run_under_srun(nodes, arguments.cores, launcher)}
    if nodes * processes == 1:
        return {0: run_child([sys.executable, *command], PASSED_ON)}
    return dict(run_ranks(nodes * processes, command))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1, help="Machines; without srun one takes the part of all.")
    parser.add_argument("--processes", type=int, required=True, help="Processes on each machine, one per GPU.")
    parser.add_argument("--cores", type=int, default=1, help="CPU cores of each machine, for srun.")
    parser.add_argument(
        "--starter", choices=("none", "srun"), default="none", help="srun: in a Slurm job, on its nodes."
    )
    parser.add_argument("--agent", action="store_true", help="Be the part of one node; srun starts it.")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="The training script and its arguments.")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
