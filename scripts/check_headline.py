"""See whether a prepared dataset can have the score that the report is to be about, before anything is trained."""

import argparse
from pathlib import Path

from histoloom.errors import run
from histoloom.evaluate.headline import check_headline, headline_classes
from histoloom.files import write_json
from histoloom.prepared import read_description, read_table


def main() -> None:
    args = parse()
    description = read_description(args.dataset)
    pixels = {row["class"]: int(row["pixels"]) for row in read_table(args.classes)}
    check_headline(args.metric, args.class_name, description, pixels)
    choices = headline_classes(args.metric, description.classes)
    write_json(args.headline, {"metric": args.metric, "class": args.class_name, "choices": list(choices)})


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--dataset", type=Path, required=True, help="Description of the dataset (JSON).")
    add("--classes", type=Path, required=True, help="Table of its classes and their pixels (CSV).")
    add("--metric", required=True, metavar="NAME", help="Headline metric.")
    add("--class", dest="class_name", required=True, metavar="NAME", help="Class of the headline metric.")
    add("--headline", type=Path, required=True, help="What was checked, and the classes to choose from (JSON).")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
