"""Animate the validation predictions of all epochs as a GIF and a WebP, one frame per epoch."""

import argparse
from pathlib import Path

from histoloom.errors import InputError, run
from histoloom.files import atomic_file
from histoloom.formats.images import read_image, read_mask
from histoloom.prepared import read_description, read_table
from histoloom.report.animation.drawing import Epoch, Probe
from histoloom.report.animation.encoding import Timing, animate, encode_gif, encode_webp

LARGEST_BYTES = 3_000_000  # a report with thirty of them still opens


def main() -> None:
    arguments = parse()
    epochs = read_epochs(arguments.history)
    probe = read_probe(arguments.frames, len(epochs))
    classes = read_description(arguments.dataset).classes
    timing = Timing(arguments.frames_per_second, arguments.hold_seconds)
    for path, encode in ((arguments.gif, encode_gif), (arguments.webp, encode_webp)):
        if path is not None:
            animation = animate(encode, probe, epochs, classes, timing, LARGEST_BYTES)
            with atomic_file(path) as part:
                part.write_bytes(animation)


def read_epochs(history: Path) -> list[Epoch]:
    rows = read_table(history)
    return [Epoch(int(row["epoch"]), float(row["val_score"] or "nan"), row["best"] == "1") for row in rows]


def read_probe(folder: Path, epoch_count: int) -> Probe:
    frames = sorted(folder.glob("epoch_*.png"), key=lambda path: int(path.stem.removeprefix("epoch_")))
    if len(frames) != epoch_count or not frames:
        raise InputError(
            f"{folder}: {len(frames)} epoch_*.png; expected {epoch_count}, one per row of the history (1 or more); "
            "train this fold again"
        )
    truth = read_mask(folder / "truth.png")
    return Probe(read_image(folder / "image.png"), truth, [read_mask(frame) for frame in frames])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--frames", type=Path, required=True, metavar="DIR", help="folder of image.png, truth.png and epoch_*.png"
    )
    parser.add_argument("--history", type=Path, required=True, metavar="CSV", help="history of the same training")
    parser.add_argument("--dataset", type=Path, required=True, metavar="JSON", help="dataset.json, for its classes")
    parser.add_argument("--frames-per-second", type=float, required=True, metavar="F", help="frames a second")
    parser.add_argument(
        "--hold-seconds", type=float, required=True, metavar="S", help="how long the last frame stays, in seconds"
    )
    parser.add_argument("--gif", type=Path, required=True, metavar="GIF", help="animation to write")
    parser.add_argument("--webp", type=Path, metavar="WEBP", help="the same animation, much smaller, to write")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
