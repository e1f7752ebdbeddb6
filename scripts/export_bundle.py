"""Write a trained model as a MONAI bundle that runs where histoloom is not installed."""

import argparse
from pathlib import Path

from histoloom.errors import run
from histoloom.export.monai_bundle import write_bundle
from histoloom.export.papers import write_papers
from histoloom.export.source import add_source_flags, read_source
from histoloom.files import atomic_folder


def main() -> None:
    args = parse()
    source = read_source(args)
    with atomic_folder(args.bundle) as folder:
        write_bundle(folder, source)
        write_papers(folder, source)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add_source_flags(parser)
    parser.add_argument("--bundle", type=Path, required=True, help="folder to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
