"""Accept pixels of training images from models that have not seen them: the masks of a round, and what changed."""

import argparse
from pathlib import Path

from tqdm import tqdm

from histoloom.arguments import add_flags, settings_among
from histoloom.errors import run
from histoloom.files import atomic_folder, write_table
from histoloom.formats.images import read_mask, write_image
from histoloom.prepared import read_description
from histoloom.rounds.acceptance import Census, Rule, judged, marked
from histoloom.rounds.drift import DRIFT_COLUMNS, Drift
from histoloom.rounds.round_files import judged_images


def main() -> None:
    args = parse()
    rule, classes = settings_among(args, Rule), read_description(args.dataset).classes
    images = judged_images(args.index, args.parts, args.probabilities)
    census, drift = Census(len(classes)), Drift(len(classes))
    for image in tqdm(images, desc="judge", unit="image", disable=None):
        drawn = image.drawn()
        census.count(judged(image.probabilities(len(classes)), drawn, rule), drawn)
    caps = census.caps(rule.class_share)
    # Judged once more, rather than kept: memory is that of one image, however many there are.
    with atomic_folder(args.masks) as folder:
        for image in tqdm(images, desc="accept", unit="image", disable=None):
            drawn, name = image.drawn(), f"{image.row.name}.png"
            judgement = judged(image.probabilities(len(classes)), drawn, rule)
            mask = marked(judgement, drawn, caps)
            drift.count(judgement, read_mask(args.before / name) if args.before else drawn, mask)
            write_image(folder / name, mask)
    write_table(args.drift, DRIFT_COLUMNS, drift.rows(classes))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("--index", type=Path, required=True, metavar="CSV", help="index.csv of the prepared dataset")
    add("--dataset", type=Path, required=True, metavar="JSON", help="dataset.json, for its classes")
    add("--parts", type=Path, required=True, metavar="CSV", help="parts.csv: which image is left out of which part")
    add("--probabilities", type=Path, nargs="+", required=True, metavar="DIR", help="predictions of each part")
    add("--before", type=Path, nargs="?", metavar="DIR", help="masks of the round before, if that accepted pixels")
    add_flags(parser, Rule)
    add("--masks", type=Path, required=True, metavar="DIR", help="folder to write <name>.png into")
    add("--drift", type=Path, required=True, metavar="CSV", help="table to write, a row a class")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
