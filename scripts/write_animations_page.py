"""Write a page with the animations of all folds, since Snakemake's report offers them only for download."""

import argparse
from pathlib import Path

from histoloom.errors import run
from histoloom.files import write_text
from histoloom.report.pages import animations_page

TEMPLATE = Path(__file__).resolve().parents[1] / "workflow" / "report" / "animations.html.j2"


def main() -> None:
    arguments = parse()
    pictures = {path.parent.name: path.read_bytes() for path in arguments.animation}
    write_text(arguments.html, animations_page(TEMPLATE, arguments.title, pictures))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--animation",
        type=Path,
        nargs="+",
        required=True,
        metavar="WEBP",
        help="animated WebP or GIF; a path ends in fold<k>/epochs.webp",
    )
    parser.add_argument("--title", required=True, metavar="TEXT", help="title of the page")
    parser.add_argument("--html", type=Path, required=True, metavar="HTML", help="page to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
