"""Measure reading of slides, by bands of rows and tile by tile with OpenSlide, and write benchmarks/reading.md.

    python benchmarks/reading.py --table benchmarks/reading.md --slides FOLDER

Run it alone on the machine. One slide is made; those of --slides are read too. A person's text under "Reading" in the
table is kept.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import openslide
from real_samples import processor, reading

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from tests.slides.made_slides import MadeTissue, write_pyramid

from histoloom.errors import run
from histoloom.files import write_text
from histoloom.formats.slides.slide import SLIDE_SUFFIXES, Slide
from histoloom.predict.engine.pixels import read_ahead
from histoloom.slides.prediction.slide_pixels import SlidePixels

TILE_PX, STRIDE_PX, BAND_PX = 256, 64, 512
MPP = 0.5  # of every slide, as a setting: whatever it is, the full resolution is read


def main() -> None:
    arguments = parse()
    if arguments.way:
        print(json.dumps(measured_here(arguments.way, arguments.slide)))
        return
    with tempfile.TemporaryDirectory(prefix="histoloom-") as folder:
        side = arguments.side
        made = write_pyramid(Path(folder, f"made {side}.tif"), MadeTissue(side, side).rows, side, side, mpp=MPP)
        found = sorted(arguments.slides.iterdir()) if arguments.slides else []
        found = [path for path in found if path.suffix.lower() in SLIDE_SUFFIXES]
        lines = [line for slide in (made, *found) for line in rows_of(slide, arguments.runs)]
    text = [*introduction(arguments), *lines, "", reading(arguments.table)]
    write_text(arguments.table, "\n".join(text))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--table", type=Path, help="Markdown file to write.")
    parser.add_argument("--slides", type=Path, help="Folder of slides to read too.")
    parser.add_argument("--runs", type=int, default=3, help="Number of runs of each way.")
    parser.add_argument("--side", type=int, default=8192, help="Pixels a side of the made slide, a multiple of 64.")
    parser.add_argument("--way", choices=WAYS, help="Measure one way in this process, and print it as JSON.")
    parser.add_argument("--slide", type=Path, help="The slide that --way reads.")
    arguments = parser.parse_args()
    if not (arguments.way and arguments.slide) and not arguments.table:
        parser.error("give --table, or --way and --slide")
    return arguments


def openslide_tiles(path: Path) -> Iterator[np.ndarray]:
    """Each tile asked for by itself."""
    with openslide.OpenSlide(path) as handle:
        width, height = handle.dimensions
        for row in range(0, height - TILE_PX + 1, STRIDE_PX):
            for column in range(0, width - TILE_PX + 1, STRIDE_PX):
                region = handle.read_region((column, row), 0, (TILE_PX, TILE_PX))
                yield np.asarray(region)[..., :3].copy()


def band_tiles(path: Path) -> Iterator[np.ndarray]:
    """The same tiles, cut from bands of rows that are read ahead."""
    held = np.empty((0, 0, 3), np.uint8)
    for band in bands(path):
        held = np.concatenate([held, band]) if len(held) else band
        while len(held) >= TILE_PX:
            for column in range(0, held.shape[1] - TILE_PX + 1, STRIDE_PX):
                yield held[:TILE_PX, column : column + TILE_PX].copy()
            held = held[STRIDE_PX:]


def bands(path: Path) -> Iterator[np.ndarray]:
    """Bands of rows as the engine reads them: it cuts tiles where the network is."""
    with Slide(path, mpp=MPP) as slide:
        pixels = SlidePixels(slide, MPP)
        spans = [(first, min(first + BAND_PX, pixels.height)) for first in range(0, pixels.height, BAND_PX)]
        yield from read_ahead(pixels, spans)


def openslide_bands(path: Path) -> Iterator[np.ndarray]:
    """The same bands as regions of OpenSlide."""
    with openslide.OpenSlide(path) as handle:
        width, height = handle.dimensions
        for first in range(0, height, BAND_PX):
            region = handle.read_region((0, first), 0, (width, min(BAND_PX, height - first)))
            yield np.asarray(region)[..., :3].copy()


WAYS = {  # name: generator, and what it is called in the table
    "openslide-tiles": (openslide_tiles, "OpenSlide, a region for each tile"),
    "band-tiles": (band_tiles, "bands, cut into the same tiles"),
    "openslide-bands": (openslide_bands, "OpenSlide, a region for each band"),
    "bands": (bands, "bands"),
}
PAIRS = {"band-tiles": "openslide-tiles", "bands": "openslide-bands"}


def measured_here(way: str, path: Path) -> dict[str, float]:
    """Seconds, of the clock and of processors, the peak of this process in MiB, pieces, and a sum of their pixels."""
    began, worked, pieces, total = time.perf_counter(), time.process_time(), 0, 0
    for pixels in WAYS[way][0](path):
        pieces += 1
        total += int(pixels[::16, ::16].sum())
    seconds, processor_seconds = time.perf_counter() - began, time.process_time() - worked
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    figures = {"seconds": seconds, "processor": processor_seconds, "mib": peak / 1024}
    return figures | {"pieces": pieces, "total": total}


def rows_of(path: Path, runs: int) -> list[str]:
    """A row of the table for each way, measured in turn, each in a process of its own."""
    done = {way: [] for way in WAYS}
    for _ in range(runs):
        for way in WAYS:
            command = [sys.executable, str(Path(__file__)), "--way", way, "--slide", str(path)]
            done[way].append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    for way, peer in PAIRS.items():
        if any((one["pieces"], one["total"]) != (done[peer][0]["pieces"], done[peer][0]["total"]) for one in done[way]):
            raise RuntimeError(f"{path.name}: {way} gives other pixels than {peer}")
    with Slide(path) as slide:
        size = f"{slide.width} x {slide.height}"
    return [line(path, size, way, done) for way in WAYS]


def line(path: Path, size: str, way: str, done: dict[str, list[dict[str, float]]]) -> str:
    """One way's row of the table."""
    seconds = np.array([one["seconds"] for one in done[way]])
    worked = {name: np.median([one["processor"] for one in runs]) for name, runs in done.items()}
    cells = (
        path.name,
        size,
        WAYS[way][1],
        done[way][0]["pieces"],
        f"{np.median(seconds):.2f} ({seconds.min():.2f} to {seconds.max():.2f})",
        f"{worked[way]:.2f}",
        f"{worked[PAIRS[way]] / worked[way]:.1f}" if way in PAIRS else "",
        f"{max(one['mib'] for one in done[way]):.0f}",
    )
    return f"| {' | '.join(map(str, cells))} |"


def introduction(arguments: argparse.Namespace) -> list[str]:
    """Command, machine and what the columns mean."""
    folder = " --slides FOLDER" if arguments.slides else ""
    command = (
        f"python benchmarks/reading.py --table benchmarks/reading.md --runs {arguments.runs} --side {arguments.side}"
        f"{folder}"
    )
    columns = ("slide", "pixels", "way", "pieces", "seconds", "processor seconds", "times as fast", "peak memory, MiB")
    return [
        "# Reading slides",
        "",
        f"`{command}` on {os.cpu_count()} cores, {processor()}, Python {platform.python_version()}, OpenSlide "
        f"{openslide.__library_version__}; medians of {arguments.runs} runs (least to most), in turn, each in a "
        f"process of its own that has read nothing before. Tiles of {TILE_PX} px, a stride of {STRIDE_PX} px (16-fold "
        f"overlap); bands of {BAND_PX} rows. Both ways of a pair give the same pixels, which is checked; the ratio is "
        "of their processor seconds, which other work on the machine hardly changes. Memory is the peak of the "
        "process.",
        "",
        f"| {' | '.join(columns)} |",
        "|---" * len(columns) + "|",
    ]


if __name__ == "__main__":
    run(main)
