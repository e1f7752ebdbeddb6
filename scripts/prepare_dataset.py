"""Read a dataset in its native layout and write it as images, masks, nucleus ids, index and description."""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from histoloom import plugins
from histoloom.arguments import pair
from histoloom.errors import run
from histoloom.prepare.preparation import checked_options, write_prepared

LINE_EVERY_SECONDS = 10


def main() -> None:
    arguments = parse()
    options = checked_options(arguments.reader, dict(arguments.option))
    dataset = plugins.load("datasets", arguments.reader)(arguments.root, **options)
    with tqdm(total=len(dataset), desc=arguments.name, unit="image", disable=None) as bar:  # None: on a terminal only
        write_prepared(
            dataset,
            name=arguments.name,
            reader=arguments.reader,
            images_dir=arguments.images,
            masks_dir=arguments.masks,
            instances_dir=arguments.instances,
            index=arguments.index,
            description=arguments.dataset,
            progress=line_printer(arguments.name) if bar.disable else lambda done, total: bar.update(),
        )


def line_printer(name: str) -> Callable[[int, int], None]:
    """A progress callback for logs: one line every 10 seconds and one at the end."""
    start = last = time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_EVERY_SECONDS or done == total:
            last = now
            print(f"{name}: {done} of {total} images, {now - start:.0f} s", file=sys.stderr, flush=True)

    return show


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--name", required=True, help="Name of the dataset in the study.")
    parser.add_argument("--reader", required=True, help="Reader of the native layout, a file in histoloom/datasets/.")
    parser.add_argument("--root", type=Path, required=True, help="Folder of the dataset as downloaded.")
    parser.add_argument("--option", nargs="*", type=pair, default=[], help="Options of the reader, each key=value.")
    parser.add_argument("--images", type=Path, required=True, help="Folder to write RGB images (PNG) into.")
    parser.add_argument("--masks", type=Path, required=True, help="Folder to write class masks (8-bit PNG) into.")
    parser.add_argument("--instances", type=Path, required=True, help="Folder for nucleus ids (16-bit PNG).")
    parser.add_argument("--index", type=Path, required=True, help="Table of the images to write (CSV).")
    parser.add_argument("--dataset", type=Path, required=True, help="Description of the dataset to write (JSON).")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
