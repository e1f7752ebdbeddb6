"""Write a trained model as a MONAI bundle that runs where histoloom is not installed."""

from histoloom.errors import run
from histoloom.export.monai_bundle import write_bundle
from histoloom.export.papers import write_papers
from histoloom.export.source import parse_source, read_source
from histoloom.files import atomic_folder


def main() -> None:
    args = parse_source(__doc__, "--bundle")
    source = read_source(args)
    with atomic_folder(args.bundle) as folder:
        write_bundle(folder, source)
        write_papers(folder, source)


if __name__ == "__main__":
    run(main)
