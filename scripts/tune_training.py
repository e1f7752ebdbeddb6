"""Be one worker of a study that seeks values of training: train trial after trial, and note their scores in a journal.

    python scripts/tune_training.py --trials 20 --worker 0 --space '{"train.batch_size": [4, 8]}' --state tuning/state
        ... scripts/launch_training.py --processes 1 scripts/train.py --fold 0 --images ...

Killed at any time and started again it makes the same trials as one that was not. Asked to stop, by SIGTERM, SIGUSR1 or
Ctrl-C, it has the training save, and ends with status 75.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from histoloom.arguments import pair
from histoloom.errors import run
from histoloom.files import digest_of, sha256, write_json
from histoloom.lease import leased
from histoloom.prepared import read_description
from histoloom.train.stopping import stop_requests
from histoloom.tune.space import own_values, read_space
from histoloom.tune.trials import JOURNAL, Search, Trials
from histoloom.tune.worker import Maker, clear_ended, lease_folder, make_trials


def main() -> None:
    arguments = parse()
    values, folder = arguments.training, arguments.state / identity(arguments)
    with stop_requests() as asked, leased(lease_folder(folder, arguments.worker)) as lease:
        search = Search(
            values["study"]["seed"],
            values["train"]["epochs"],
            arguments.sampler,
            dict(arguments.sampler_options),
            arguments.pruner,
            dict(arguments.pruner_options),
        )
        trials = Trials(folder, read_space(arguments.space), own_values(values, arguments.space), search)
        clear_ended(trials, folder)
        maker = Maker(trials, arguments.command, values, folder, lease.check, lambda: bool(asked), tell)
        made = make_trials(trials, arguments.worker, arguments.workers, arguments.trials, folder, maker)
    write_json(arguments.report, {"worker": arguments.worker, "made": made, "journal": str(folder / JOURNAL)})


def identity(arguments: argparse.Namespace) -> str:
    """What the trials depend on, but not how many there are and who makes them: so a study can be extended."""
    names = ("sampler", "pruner", "space", "training", "code")
    facts = {
        **{name: getattr(arguments, name) for name in names},
        "options": [dict(arguments.sampler_options), dict(arguments.pruner_options)],
        "inputs": [sha256(path) for path in arguments.inputs],
        "classes": read_description(arguments.dataset).classes,  # and not its licence or notes
    }
    return digest_of(json.dumps(facts, sort_keys=True).encode())[:16]


def tell(message: str) -> None:
    """A line of the log."""
    print(message, file=sys.stderr, flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--trials", type=int, required=True, help="Trials of all workers, in all.")
    parser.add_argument("--worker", type=int, required=True, help="Number of this worker, from 0.")
    parser.add_argument("--workers", type=int, required=True, help="Workers that share the trials.")
    parser.add_argument("--sampler", required=True, help="tpe, random, qmc or gp.")
    parser.add_argument("--sampler-options", nargs="*", type=pair, default=[], help="Its own, key=value.")
    parser.add_argument("--pruner", required=True, help="none, median, percentile or hyperband.")
    parser.add_argument("--pruner-options", nargs="*", type=pair, default=[], help="Its own, key=value.")
    parser.add_argument("--space", type=mapping, required=True, help="JSON: choices or range of each dotted name.")
    parser.add_argument("--training", type=mapping, required=True, help="JSON: what a training is told, by section.")
    parser.add_argument("--inputs", type=Path, nargs="+", required=True, help="Files that the trials depend on.")
    parser.add_argument("--dataset", type=Path, required=True, help="dataset.json, whose classes they depend on too.")
    parser.add_argument("--code", required=True, help="Fingerprint of the code that tunes and trains.")
    parser.add_argument("--state", type=Path, required=True, help="Folder of the studies that are begun.")
    parser.add_argument("--report", type=Path, required=True, help="JSON to write at the end: where the journal is.")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="launch_training.py and its arguments.")
    return parser.parse_args()


def mapping(text: str) -> dict[str, Any]:
    """A JSON object."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"'{text}' is no JSON object")
    return found


if __name__ == "__main__":
    run(main)
