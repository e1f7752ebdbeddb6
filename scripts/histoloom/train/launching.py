"""How the processes of a training are started: one by itself, several under torchrun, several nodes under srun.

Nothing of torch is imported for a single process, which starts seconds earlier without.
"""

import logging
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

from histoloom.errors import HeldError, InputError, StoppedError
from histoloom.train.parent import LAUNCHER_PID, die_with_parent

PASSED_ON = {signal.SIGTERM: signal.SIGTERM, signal.SIGUSR1: signal.SIGUSR1}
# srun answers a SIGTERM of its own by killing what it has started; SIGUSR1 it passes on.
PASSED_TO_SRUN = {signal.SIGTERM: signal.SIGUSR1, signal.SIGUSR1: signal.SIGUSR1}
ASKS_TO_STOP = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
GRACE_SECONDS = 120  # for ranks to finish a step and save, before torchrun kills them; Slurm's own limit may be less
FIRST_PORT, PORTS = 20000, 12000  # ranks of several nodes meet at a port below those that Linux gives away by itself
SHELL_OFFSET = 128


def run_child(command: Sequence[str], passed_on: Mapping[int, int]) -> int:
    """Run a command to its end and pass on what asks for one; its exit status, negative where a signal ended it.

    `passed_on` says which signal becomes which. The command is killed when this process dies. Ctrl-C reaches it from
    the terminal, so it is not passed on.
    """
    asked: list[int] = []
    children: list[subprocess.Popen] = []

    def pass_on(number: int, _: FrameType | None) -> None:
        asked.append(number)
        for child in children:
            child.send_signal(passed_on[number])

    for number in passed_on:
        signal.signal(number, pass_on)
    signal.signal(signal.SIGINT, lambda *_: None)  # and not SIG_IGN, which the child would inherit
    children.append(subprocess.Popen(command, preexec_fn=dying_with(os.getpid())))  # noqa: PLW1509 - no threads here
    for number in asked:  # those that came before there was a child
        children[0].send_signal(passed_on[number])
    return children[0].wait()


def run_under_srun(nodes: int, cores: int, command: Sequence[str]) -> int:
    """Run a command once on each node of the Slurm job; its exit status, as `run_child` gives it."""
    code = run_child(srun(nodes, cores, command), PASSED_TO_SRUN)
    return SHELL_OFFSET - code if code > SHELL_OFFSET else code  # srun says 128 + n of what signal n has ended


def dying_with(launcher: int) -> Callable[[], None]:
    """What a child does before it becomes the script: have Linux kill it when the launcher dies.

    The script asks for that itself, but only once torch is imported. A launcher killed before would leave it running.
    """

    def ask() -> None:
        die_with_parent()
        if os.getppid() != launcher:  # it died before the call
            os._exit(1)

    return ask


def run_ranks(processes: int, command: Sequence[str], meeting: Sequence[str] = ("--standalone",)) -> Mapping[int, int]:
    """Run `processes` ranks of the command under torchrun on this machine; the exit status of each rank that failed.

    `meeting` is how torchrun finds its peers. When a signal asks for an end, the ranks are given it and time to save,
    and say so themselves; their status is that of StoppedError then.
    """
    try:
        from torch.distributed import run  # noqa: PLC0415 - importing torch takes seconds
        from torch.distributed.elastic.multiprocessing.api import SignalException  # noqa: PLC0415
        from torch.distributed.elastic.multiprocessing.errors import ChildFailedError  # noqa: PLC0415
    except ImportError as error:
        raise InputError(
            f"torchrun: cannot be imported ({error}); expected PyTorch 2.11 or newer; run `make env`"
        ) from error
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    os.environ[LAUNCHER_PID] = str(os.getpid())  # a rank whose parent is another one by then is an orphan
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(GRACE_SECONDS))  # torch 2.11 has no flag for it
    signals = "--signals-to-handle=SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1"
    try:
        run.main([*meeting, signals, f"--nproc-per-node={processes}", *command])
    except ChildFailedError as error:
        return {rank: failure.exitcode for rank, failure in error.failures.items()}
    except SignalException:
        return {0: StoppedError.status}
    return {}


def meeting_of_nodes(nodes: int, slurm: Mapping[str, str]) -> list[str]:
    """Flags by which torchrun on each node finds the others, of the environment that srun gives its tasks.

    The first node is where srun was started; raises InputError outside of srun.
    """
    wanted = ("SLURM_NODEID", "SLURM_LAUNCH_NODE_IPADDR", "SLURM_JOB_ID", "SLURM_STEP_ID")
    if missing := [name for name in wanted if name not in slurm]:
        raise InputError(f"--agent: {', '.join(missing)} not set; expected to be started by srun; leave --agent out")
    return [
        f"--nnodes={nodes}",
        f"--node-rank={slurm['SLURM_NODEID']}",
        f"--master-addr={slurm['SLURM_LAUNCH_NODE_IPADDR']}",
        f"--master-port={FIRST_PORT + (int(slurm['SLURM_JOB_ID']) + int(slurm['SLURM_STEP_ID'])) % PORTS}",
    ]


def srun(nodes: int, cores: int, command: Sequence[str]) -> list[str]:
    """The command that starts `command` once on each node of the Slurm job, with `cores` cores each."""
    return [
        "srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", f"--cpus-per-task={cores}",
        "--cpu-bind=none", "--mpi=none", "--kill-on-bad-exit=1", *command,
    ]  # fmt: skip


def status(codes: Mapping[int, int]) -> int:
    """The exit status of a run whose ranks failed with these; 0 without any.

    When one fails, torchrun asks the others to end: their "stopped" counts only where nothing else is told. A signal
    that came before a script listens, or when it is done and does so no more, ended it: the next start goes on.
    """
    failed = {code for code in codes.values() if code}
    if HeldError.status in failed:
        return HeldError.status
    if failed and failed <= {StoppedError.status, *(-number for number in ASKS_TO_STOP)}:
        return StoppedError.status
    return 1 if failed else 0


def killed_note(rank: int) -> str:
    """What to tell of a rank that was killed and so could say nothing."""
    return (
        f"error: process {rank} was killed (SIGKILL); unless somebody or a time limit did it, memory ran out;\n"
        "set train.accumulate higher, train.batch_size lower, or give the job more memory; started again\n"
        "it goes on from its last checkpoint"
    )
