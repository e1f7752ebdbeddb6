"""Measure preparing, inspection, duplicates and GeoJSON on data of real size, and write benchmarks/prepare.md.

    python benchmarks/prepare.py --table benchmarks/prepare.md

Run it alone on the machine. The data are procedural, made in the folder of temporary files (TMPDIR) and removed again;
the largest part, a full PanNuke fold, takes 12.5 GB of disk.
"""

import argparse
import inspect
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from real_samples import processor, reading

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from histoloom.errors import InputError, run
from histoloom.files import digest_of, write_json, write_table, write_text
from histoloom.prepare.demo.datasets import write_pannuke
from histoloom.prepare.demo.images import TISSUES, Scene, Tissue, draw_scene, draw_staining
from histoloom.prepare.duplicates.pairs import DUPLICATE_COLUMNS
from histoloom.prepared import INDEX_COLUMNS, read_table

PARTS_GB = {"pannuke": 15, "brecahad": 2, "duplicates": 3, "geojson": 1, "inspect": 4}  # disk at full size, rounded up
FOLD_PATCHES = 2656  # of PanNuke's first fold
DISTINCT_PER_TISSUE_SET = 22  # patches drawn for each of the demo's three folds; the others repeat them with noise
FIELD_PX = (1024, 1360)
FIELD_TISSUE = Tissue(0.55, 0.0, {"neoplastic": 120, "inflammatory": 25})  # about 140 nuclei in a field
FIELD_SCALE = 1.2  # tumour nuclei are then 36 px wide, as in BreCaHAD
PLANTED_EVERY = 100  # one tile in so many is the one before it, mirrored and darker
BLOCK = 32  # patches written at once: 150 MB
PREPARED = ("images", "masks", "instances", "second-instances", "index", "skipped", "dataset")
INSPECTED = ("findings", "classes", "measures", "nuclei", "sheet", "sizes", "stains")
# A process's peak as Linux counts it begins with that of the process that starts it, so a small one stands between.
LAUNCHER = """import resource, subprocess, sys, time
began = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
sys.exit(code)"""
# Both end with an error unless they find as many objects as were written.
READ_SHAPES = f"""import sys; from pathlib import Path; sys.path.insert(0, {str(ROOT / "scripts")!r})
from histoloom.formats.shapes import read_shapes
sys.exit(len(read_shapes(Path(sys.argv[1])).shapes) != int(sys.argv[2]))"""
LOAD_JSON = "import json, sys; sys.exit(len(json.load(open(sys.argv[1]))['features']) != int(sys.argv[2]))"


@dataclass(frozen=True)
class Run:
    """One run of a command: wall seconds, and the largest resident memory of one of its processes."""

    seconds: float
    peak_mib: float


@dataclass(frozen=True)
class Row:
    """A line of the table: what was measured, on how much, its runs and its limits (None: no limit set)."""

    what: str
    size: str
    runs: Sequence[Run]
    note: str = ""
    limit_s: float | None = None
    limit_mib: float | None = None


def main() -> None:
    arguments = parse()
    rows = []
    for name in arguments.only:
        with tempfile.TemporaryDirectory(prefix="histoloom-") as folder:
            require_space(Path(folder), name, arguments.scale)
            rows += globals()[f"{name}_rows"](Path(folder), arguments.scale, arguments.runs)
            print(*(line(row, arguments.scale) for row in rows[-2:]), sep="\n", flush=True)
    write_text(arguments.table, "\n".join([introduction(arguments), *(line(row, arguments.scale) for row in rows)]))
    # `reading` looks at the table that stood there, so it is read before.


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--table", type=Path, required=True, help="Markdown file to write.")
    parser.add_argument("--only", nargs="+", choices=PARTS_GB, default=list(PARTS_GB), help="Parts to measure.")
    parser.add_argument("--runs", type=int, default=3, help="Number of runs of each command.")
    parser.add_argument("--scale", type=float, default=1.0, help="Share of the full sizes; 1 is what the limits ask.")
    return parser.parse_args()
