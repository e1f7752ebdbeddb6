"""Download a dataset where its licence permits a direct link, else say how to get it by hand."""

import argparse
import sys
from pathlib import Path

from histoloom.errors import InputError, run
from histoloom.prepare.fetch.fetching import RemoteFile, fetch_files, read_receipt, write_receipt
from histoloom.progress import progress_bar
from histoloom.raw_data import raw_digest


def main() -> None:
    arguments = parse()
    root, receipt = arguments.root, arguments.receipt
    files = [remote_file(*words) for words in arguments.file]
    if files and read_receipt(receipt, files, root):
        return
    if not files:
        check_placed_by_hand(arguments)
    with progress_bar(arguments.dataset, "B") as show:
        fetched = fetch_files(files, root, show)
    if files and arguments.steps:
        print(f"{arguments.dataset}: what could not be fetched:\n{arguments.steps}", file=sys.stderr)
    content = raw_digest(root, arguments.digests)
    write_receipt(receipt, arguments.dataset, arguments.licence, arguments.citation, fetched, content)


def remote_file(url: str, sha256: str, unpack: str) -> RemoteFile:
    if unpack not in ("yes", "no"):
        raise InputError(f"{url}: unpack is '{unpack}'; expected yes or no; mend --file")
    return RemoteFile(url, sha256, unpack == "yes")


def check_placed_by_hand(arguments: argparse.Namespace) -> None:
    root = arguments.root
    if root.is_dir() and any(not path.name.startswith(".") for path in root.iterdir()):
        print(f"{root}: is there, put by hand; nothing to fetch", file=sys.stderr)
        return
    if not arguments.steps:
        raise InputError(
            f"dataset '{arguments.dataset}': has no 'source' and no {root}; expected one of them; "
            "put the dataset there, or mend 'root'"
        )
    licence = f"\nLicence: {arguments.licence}" if arguments.licence else ""
    raise InputError(
        f"{root}: is empty, and {arguments.dataset} has no direct link; expected the dataset; "
        f"do this by hand, then run again:\n{arguments.steps.strip()}{licence}"
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--dataset", required=True, help="Name of the dataset in the study.")
    parser.add_argument("--root", type=Path, required=True, help="Folder to put the dataset into.")
    parser.add_argument(
        "--file",
        nargs=3,
        action="append",
        default=[],
        metavar=("URL", "SHA256", "UNPACK"),
        help="Address (http or https), digest and yes|no for unpacking of one file; give it once for each file.",
    )
    parser.add_argument("--steps", default="", help="What to do by hand where there is no direct link.")
    parser.add_argument("--licence", default="", help="Licence of the dataset, for the receipt.")
    parser.add_argument("--citation", default="", help="How to cite the dataset, for the receipt.")
    parser.add_argument("--digests", type=Path, required=True, help="Where digests of files are remembered (JSON).")
    parser.add_argument("--receipt", type=Path, required=True, help="What was fetched, written last (JSON).")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
