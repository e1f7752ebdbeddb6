"""Random faults of all kinds against tiny pieces of work, for as long as told; ends at the first promise not kept.

    python tests/faults/soak.py --minutes 30 --seed 0

After each round, of one to three faults, a plain start has to end in the bytes of an undisturbed run, and no process,
lease or half-written file may be left. Prints how often each fault was tried; a violation ends it with status 1, and
with the command that tries its round again. Times are drawn from the seed; what they hit depends on the machine.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[2] / "scripts")]

from tests.faults.fault_cases import STAGES, Work, training  # noqa: E402
from tests.faults.forked_runs import ForkServer  # noqa: E402
from tests.faults.inflicted import ON_ANY, ON_JOBS, ON_TRAINING, Trial, ViolationError, no_room  # noqa: E402

JOB_SHARE = 0.1  # of rounds with two processes, each of which takes as long as ten others
SHARE_OF_TRAINING = 0.6


def job(folder: Path) -> Work:
    """A training in two processes."""
    return training(folder, processes=2)


def main() -> int:
    arguments = parsed()
    counts: Counter[str] = Counter()
    folder = Path(tempfile.mkdtemp(prefix="histoloom-soak-"))
    scripts = ("train.py", *(f"{name}.py" for name in STAGES))
    number = arguments.first
    with ForkServer(scripts, folder) as server:
        known, until = {}, time.monotonic() + 60 * arguments.minutes  # not counting the imports
        while time.monotonic() < until and number - arguments.first < arguments.rounds:
            try:
                counts.update(one_round(server, folder, f"{arguments.seed} {number}", known))
            except (ViolationError, TimeoutError) as violation:
                again = f"python tests/faults/soak.py --seed {arguments.seed} --first {number} --rounds 1"
                print(f"round {number}: {violation!r}\nfiles: {folder}\ntry it again: {again}", file=sys.stderr)
                return tell(counts, number - arguments.first, 1)
            number += 1
    shutil.rmtree(folder)
    return tell(counts, number - arguments.first, 0)


def one_round(server: ForkServer, folder: Path, seed: str, known: dict) -> list[str]:
    """Some faults on one piece of work, then a plain start; the names of what was tried."""
    draw = random.Random(seed)
    make, faults = drawn(draw)
    name = make.__name__
    if name not in known:
        known[name] = undisturbed(server, make(folder / f"undisturbed-{name}"))
    trial = Trial(server, make(folder / "case"), *known[name], draw)
    chosen = [draw.choice(faults) for _ in range(draw.randint(1, 3))]
    for fault in chosen:
        fault(trial)
    trial.finish()
    shutil.rmtree(folder / "case")
    return [f"{fault.__name__} on {name}" for fault in chosen]


def drawn(draw: random.Random) -> tuple[Callable[[Path], Work], tuple[Callable[[Trial], None], ...]]:
    """A piece of work, and the faults that may strike it."""
    share = draw.random()
    if share < JOB_SHARE:
        return job, ON_JOBS
    if share < JOB_SHARE + SHARE_OF_TRAINING:
        # What loader workers hand on is a file too: where files are limited there can be none.
        return training, (*(fault for fault in ON_ANY if fault is not no_room), *ON_TRAINING)
    return draw.choice(list(STAGES.values())), ON_ANY


def undisturbed(server: ForkServer, work: Work) -> tuple[dict[str, str], float]:
    """What the work comes to, and the seconds it took."""
    began = time.monotonic()
    status, said = server.run(work.words)
    assert status == 0, said
    return work.result(), time.monotonic() - began


def tell(counts: Counter[str], rounds: int, status: int) -> int:
    """Print the counts; gives the status."""
    for name, count in sorted(counts.items()):
        print(f"{count:6d}  {name}")
    print(f"{sum(counts.values()):6d}  faults in {rounds} rounds, {status} violation(s)")
    return status


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="for how long")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    parser.add_argument("--first", type=int, default=0, help="number of the first round")
    parser.add_argument("--rounds", type=int, default=1 << 40, help="rounds at most")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
