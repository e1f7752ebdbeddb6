"""Decide after a round whether another follows, by the scores on pixels that people drew in the validation part."""

import argparse
from pathlib import Path

from histoloom.errors import run
from histoloom.files import write_json
from histoloom.prepared import read_table
from histoloom.rounds.verdict import WORDS, held_out_score, verdict


def main() -> None:
    args = parse()
    scores = [held_out_score(read_table(path), str(path)) for path in args.history]
    found = verdict(scores, args.count, args.patience)
    told = {"round": len(scores) - 1, "scores": found.scores, "best": found.best, "goes_on": found.goes_on}
    write_json(args.verdict, told | {"reason": WORDS[found.reason]})


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--history", type=Path, nargs="+", required=True, metavar="CSV", help="history of each round, from round 0 on")
    add("--count", type=int, required=True, metavar="N", help="rounds after the first training, at most")
    add("--patience", type=int, required=True, metavar="N", help="rounds without a better score that end it")
    add("--verdict", type=Path, required=True, metavar="JSON", help="decision to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
