"""Write a trained model as a folder that scripts/predict.py runs on anybody's images: weights, settings, papers."""

import argparse
import shutil
from pathlib import Path

from histoloom.arguments import pair
from histoloom.errors import run
from histoloom.export.papers import write_papers
from histoloom.export.settings import GROUPS, MODEL, REFERENCE, THRESHOLDS, write_settings
from histoloom.export.source import add_source_flags, read_source
from histoloom.files import atomic_folder


def main() -> None:
    args = parse()
    source = read_source(args)
    settings = args.settings[source.place] if len(args.settings) > 1 else args.settings[0]
    with atomic_folder(args.weights) as folder:
        shutil.copyfile(source.path, folder / MODEL)
        shutil.copyfile(settings, folder / THRESHOLDS)
        if source.reference:
            shutil.copyfile(source.reference, folder / REFERENCE)
        write_settings(folder, source.name, {group: dict(getattr(args, group)) for group in GROUPS})
        write_papers(folder, source)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    add_source_flags(parser)
    parser.add_argument(
        "--settings", type=Path, nargs="+", required=True, help="postprocess.json of each model, or one for all"
    )
    helps = {
        "engine": "how images are predicted",
        "regions": "how their regions are smoothed and cleaned",
        "slide_engine": "how slides are predicted",
        "slide_regions": "how their regions are smoothed and cleaned",
        "tissue": "how their tissue is found",
        "slide": "the rest of section slides",
    }
    for group in GROUPS:
        flag = "--" + group.replace("_", "-")
        parser.add_argument(flag, nargs="+", type=pair, required=True, help=f"{helps[group]}, key=value")
    parser.add_argument("--weights", type=Path, required=True, help="folder to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
