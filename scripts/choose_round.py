"""Make the model of the round that scored best on people's held-out pixels the model of its fold."""

import argparse
import shutil
from pathlib import Path

from histoloom.errors import run
from histoloom.files import atomic_file, atomic_folder
from histoloom.model_files import read_model_file, write_model_file


def main() -> None:
    args = parse()
    state, card = read_model_file(args.model)
    with atomic_file(args.chosen_history) as part:
        shutil.copyfile(args.history, part)
    with atomic_folder(args.chosen_epochs) as folder:
        shutil.copytree(args.epochs, folder, dirs_exist_ok=True)
    write_model_file(args.chosen_model, state, card | {"round": args.round})


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--round", type=int, required=True, metavar="N", help="number of the chosen round, 0 for people's pixels alone")
    add("--model", type=Path, required=True, metavar="FILE", help="its model.safetensors")
    add("--history", type=Path, required=True, metavar="CSV", help="its history.csv")
    add("--epochs", type=Path, required=True, metavar="DIR", help="its strips of probe tiles")
    add("--chosen-model", type=Path, required=True, metavar="FILE", help="model to write")
    add("--chosen-history", type=Path, required=True, metavar="CSV", help="history to write")
    add("--chosen-epochs", type=Path, required=True, metavar="DIR", help="folder of strips to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
