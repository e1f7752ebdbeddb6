"""Measure nuclei from probabilities to GeoJSON: seconds against the obvious way, memory on a slide of a million.

    python benchmarks/nuclei.py --table benchmarks/nuclei.md

Run it alone on the machine. The data are procedural, made in the folder of temporary files (TMPDIR) and removed again;
the slide takes 3 GB of disk. A person's text under "Reading" in the table is kept.
"""

import argparse
import gzip
import json
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from prepare import SCRIPTS, measured
from real_samples import processor, reading
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.measure import regionprops
from skimage.segmentation import watershed

from histoloom.errors import run
from histoloom.files import write_text
from histoloom.formats.geojson import write_features
from histoloom.slides.band_store import BandStore, Grid
from histoloom.slides.export.qupath_objects import Origin, nucleus_features
from histoloom.slides.nuclei.blocks import nuclei_of_slide
from histoloom.slides.nuclei.table import read_tables, write_tables

FIELD_PX, SPACING_PX, CLASSES = 2048, 20, ("background", "tumour", "stroma", "immune")
MIN_AREA_PX, MPP, COLOURS = 10, 0.25, ((0, 0, 0), (200, 0, 0), (0, 200, 0), (0, 0, 200))
SETUP = f"""import sys; from pathlib import Path; sys.path.insert(0, {str(SCRIPTS)!r})
from histoloom.slides.band_store import BandStore
from histoloom.slides.nuclei.blocks import nuclei_of_slide
from histoloom.slides.nuclei.table import read_tables, write_tables
store, tables, out = BandStore.open(Path(sys.argv[1])), Path(sys.argv[2]), Path(sys.argv[3])
"""
FIND = (
    SETUP
    + f"""shape = store.grid.height, store.grid.width
write_tables(tables, nuclei_of_slide(store.rows, None, shape, "watershed", {{}}, min_area_px={MIN_AREA_PX}))"""
)
EXPORT = (
    SETUP
    + f"""from histoloom.formats.geojson import write_features
from histoloom.slides.export.qupath_objects import Origin, nucleus_features
origin = Origin("slide", "model", {CLASSES!r}, store.grid.height, store.grid.width, store.grid.mpp, 1.0)
write_features(out, {{}}, nucleus_features(read_tables(tables), origin))"""
)


def main() -> None:
    arguments = parse()
    with tempfile.TemporaryDirectory(prefix="histoloom-") as folder:
        lines = introduction(arguments)
        lines += field_rows(Path(folder), arguments.runs)
        lines += ["", "| slide | nuclei | step | s | peak memory, MiB | file, MB |", "|---|---|---|---|---|---|"]
        for fields in arguments.fields:
            write_text(arguments.table, "\n".join([*lines, "", reading(arguments.table)]))  # the next takes minutes
            lines += slide_rows(Path(folder) / str(fields), fields, arguments.fields[-1])
    write_text(arguments.table, "\n".join([*lines, "", reading(arguments.table)]))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--table", type=Path, required=True, help="Markdown file to write.")
    parser.add_argument("--runs", type=int, default=5, help="Number of runs of each way.")
    parser.add_argument("--fields", type=int, nargs="+", default=[3, 12], help="Rows of fields of the slides.")
    return parser.parse_args()


def made_field(seed: int = 0) -> np.ndarray:
    """Probabilities of a field full of touching nuclei, (FIELD_PX, FIELD_PX, classes): ellipses, blurred and noisy."""
    rng = np.random.default_rng(seed)
    drawn, classes = np.zeros((2, FIELD_PX, FIELD_PX), np.uint8)
    places = np.stack(np.meshgrid(*[np.arange(SPACING_PX / 2, FIELD_PX, SPACING_PX)] * 2), axis=-1).reshape(-1, 2)
    for x, y in places + rng.normal(0, SPACING_PX * 0.22, places.shape):
        axes = 2 * rng.lognormal(np.log(SPACING_PX * 0.42), 0.25) * rng.uniform(0.8, 1.25, 2)
        box = ((x, y), tuple(axes), rng.uniform(0, 180))
        cv2.ellipse(drawn, box, 255, -1)
        cv2.ellipse(classes, box, int(rng.integers(1, len(CLASSES))), -1)
    noise = cv2.GaussianBlur(rng.normal(0, 120, drawn.shape).astype(np.float32), (0, 0), 2)
    foreground = np.clip(cv2.GaussianBlur(drawn, (0, 0), 1.2) + noise, 0, 255)
    shares = [cv2.GaussianBlur((classes == index).astype(np.float32), (0, 0), 3) for index in range(1, len(CLASSES))]
    others = [np.floor(foreground * share / (sum(shares) + 1e-3)).astype(np.uint8) for share in shares]
    return np.stack([255 - sum(others), *others], axis=-1)


def field_rows(folder: Path, runs: int) -> list[str]:
    """One field from probabilities to GeoJSON, by ours and by the obvious way in turn."""
    field, shape = made_field(), (FIELD_PX, FIELD_PX)
    tables, origin = folder / "tables", Origin("slide", "model", CLASSES, *shape, MPP, 1.0)

    def find() -> None:
        rows = lambda first, last: field[first:last]  # noqa: E731
        write_tables(tables, nuclei_of_slide(rows, None, shape, "watershed", {}, min_area_px=MIN_AREA_PX))

    ways = {
        "histoloom: nuclei and outlines": find,
        "histoloom: GeoJSON": lambda: write_features(
            folder / "ours.geojson.gz", {}, nucleus_features(read_tables(tables), origin)
        ),
        "scipy, scikit-image, OpenCV: nuclei": lambda: plain_nuclei(field),
        "regionprops, findContours, json": lambda: plain_geojson(plain, field, folder / "plain.geojson.gz"),
    }
    plain = plain_nuclei(field)
    seconds = np.array([[list(timed(way)) for way in ways.values()] for _ in range(runs)])
    counts = [sum(map(len, read_tables(tables)))] * 2 + [int(plain.max())] * 2
    each = np.median(seconds, axis=0)
    per_nucleus = 1e6 * each / np.array(counts)[:, None]
    lines = []
    for place, (name, count) in enumerate(zip(ways, counts, strict=True)):
        wall, processor_time = per_nucleus[place]
        lines.append(f"| {name} | {count} | {spread(seconds[:, place, 0])} | {wall:.0f} | {processor_time:.0f} |")
    ours, theirs = per_nucleus[:2].sum(axis=0), per_nucleus[2:].sum(axis=0)
    verdict = "met" if theirs[0] >= 8 * ours[0] else "missed"
    return [
        "| one field of 2048 x 2048, touching nuclei | nuclei | s | µs per nucleus | processor µs per nucleus |",
        "|---|---|---|---|---|",
        *lines,
        f"| **ours against the obvious way** (goal 8 x: {verdict}) | | | **{theirs[0] / ours[0]:.1f} x** "
        f"| **{theirs[1] / ours[1]:.1f} x** |",
    ]


def plain_nuclei(probabilities: np.ndarray) -> np.ndarray:
    """The peer: nuclei as the example of scikit-image's watershed finds them, on a smoothed distance."""
    mask = probabilities[..., 0] <= 127
    distance = ndimage.gaussian_filter(ndimage.distance_transform_edt(mask), 1)
    peaks = peak_local_max(distance, min_distance=6, labels=mask, exclude_border=False)
    markers = np.zeros(mask.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return watershed(-distance, markers, mask=mask)


def plain_geojson(nuclei: np.ndarray, probabilities: np.ndarray, path: Path) -> None:
    """The peer: outlines through pixel centres, class and area of each nucleus, as one JSON."""
    features = []
    for region in regionprops(nuclei, probabilities):
        if region.area < MIN_AREA_PX:
            continue
        contours, _ = cv2.findContours(region.image.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        ring = (contours[0][:, 0] + region.bbox[1::-1]).tolist()
        means = region.intensity_mean[1:]
        name = CLASSES[1 + int(np.argmax(means))]
        measurements = {"area": float(region.area), "probability": float(means.max() / 255)}
        classification = {"name": name, "color": COLOURS[CLASSES.index(name)]}
        properties = {"objectType": "detection", "classification": classification, "measurements": measurements}
        geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
        features.append({"type": "Feature", "geometry": geometry, "properties": properties})
    with gzip.open(path, "wt", compresslevel=4) as file:
        json.dump({"type": "FeatureCollection", "features": features}, file)


def slide_rows(folder: Path, fields: int, columns: int) -> list[str]:
    """A slide of fields, mirrored side by side and row by row: seconds and memory of finding and of exporting."""
    write_slide(folder / "slide", made_field(), fields, columns)
    tables, out = folder / "tables", folder / "nuclei.geojson.gz"
    words = [str(folder / "slide"), str(tables), str(out)]
    found = measured([sys.executable, "-c", FIND, *words])
    exported = measured([sys.executable, "-c", EXPORT, *words])
    sums = np.sum([(len(table), table.disputed) for table in read_tables(tables)], axis=0)
    sizes = [sum(file.stat().st_size for file in tables.iterdir()), out.stat().st_size]
    steps = [("nuclei and outlines, to tables", found, sizes[0]), ("GeoJSON, gzip", exported, sizes[1])]
    name = f"{columns * FIELD_PX} x {fields * FIELD_PX}"
    return [
        f"| {name} | {sums[0]} ({sums[1]} disputed) | {step} | {seconds:.0f} | {mib:.0f} | {size / 1e6:.0f} |"
        for step, (seconds, mib), size in steps
    ]


def write_slide(folder: Path, field: np.ndarray, rows: int, columns: int) -> None:
    """Write `rows` x `columns` fields as a store of bands."""
    wide = np.concatenate([field[:, :: 1 - 2 * (place % 2)] for place in range(columns)], axis=1)
    store = BandStore.create(folder, Grid(rows * FIELD_PX, wide.shape[1], len(CLASSES), "uint8", MPP))
    for band in range(store.grid.bands):
        first, last = store.grid.rows(band)
        row, start = divmod(first, FIELD_PX)
        upright = slice(start, start + last - first)
        store.write(band, wide[:: 1 - 2 * (row % 2)][upright])


def timed(way: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds."""
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    way()
    wall, now = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    return wall, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


def spread(seconds: np.ndarray) -> str:
    return f"{np.median(seconds):.2f} ({seconds.min():.2f} to {seconds.max():.2f})"


def introduction(arguments: argparse.Namespace) -> list[str]:
    """Command and machine."""
    command = " ".join(["python benchmarks/nuclei.py", *sys.argv[1:]])
    return [
        "# Nuclei",
        "",
        f"`{command}` on {os.cpu_count()} cores, {processor()}, Python {platform.python_version()}; medians of "
        f"{arguments.runs} runs in turn (least to most). Both ways write gzip of level 4. Memory is the largest "
        "resident size of the process.",
        "",
    ]


if __name__ == "__main__":
    run(main)
