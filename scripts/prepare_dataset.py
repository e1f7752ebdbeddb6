"""Read a dataset in its native layout and write it as images, masks, nucleus ids, index and description."""

import argparse
import sys
from pathlib import Path

from tqdm import tqdm

from histoloom import plugins
from histoloom.arguments import pair
from histoloom.errors import run
from histoloom.prepare.preparation import PreparedFiles, checked_options, write_prepared
from histoloom.prepare.problems import given_once
from histoloom.progress import progress_bar


def main() -> None:
    arguments = parse()
    options = checked_options(arguments.reader, given_once(arguments.option))
    dataset = plugins.load("datasets", arguments.reader)(arguments.root, **options)
    with progress_bar(arguments.name, "images") as progress:
        write_prepared(
            dataset,
            prepared_files(arguments),
            name=arguments.name,
            reader=arguments.reader,
            on_bad_image=arguments.on_bad_image,
            tell=lambda message: tqdm.write(f"bad image: {message}", file=sys.stderr),  # above the bar, if there is one
            progress=progress,
        )


def prepared_files(arguments: argparse.Namespace) -> PreparedFiles:
    return PreparedFiles(
        images=arguments.images,
        masks=arguments.masks,
        instances=arguments.instances,
        second_instances=arguments.second_instances,
        index=arguments.index,
        skipped=arguments.skipped,
        description=arguments.dataset,
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--name", required=True, help="Name of the dataset in the study.")
    parser.add_argument("--reader", required=True, help="Reader of the native layout, a file in histoloom/datasets/.")
    parser.add_argument("--root", type=Path, required=True, help="Folder of the dataset as downloaded.")
    parser.add_argument("--option", nargs="*", type=pair, default=[], help="Options of the reader, each key=value.")
    parser.add_argument("--on-bad-image", choices=("stop", "skip"), required=True, help="What a bad image does.")
    parser.add_argument("--images", type=Path, required=True, help="Folder to write RGB images (PNG) into.")
    parser.add_argument("--masks", type=Path, required=True, help="Folder to write class masks (8-bit PNG) into.")
    parser.add_argument("--instances", type=Path, required=True, help="Folder for nucleus ids (16-bit PNG).")
    parser.add_argument("--second-instances", type=Path, required=True, help="Folder for the second annotator's ids.")
    parser.add_argument("--index", type=Path, required=True, help="Table of the images to write (CSV).")
    parser.add_argument("--skipped", type=Path, required=True, help="Table of files left out to write (CSV).")
    parser.add_argument("--dataset", type=Path, required=True, help="Description of the dataset to write (JSON).")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
