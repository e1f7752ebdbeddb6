"""Measure preparing, duplicates, GeoJSON and inspection on data of real size, and write benchmarks/prepare.md.

    python benchmarks/prepare.py --table benchmarks/prepare.md

Run it alone on the machine. The data are procedural, made in the folder of temporary files (TMPDIR) and removed again;
the largest part, a full PanNuke fold, takes 12.5 GB of disk. A person's text under "Reading" in the table is kept.
"""

import argparse
import inspect
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from prepare_data import FIELD_PX, write_fields, write_fold, write_geojson, write_tiles
from real_samples import processor, reading

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "scripts"
sys.path.insert(0, str(SCRIPTS))

from histoloom.errors import InputError, run
from histoloom.files import write_table, write_text
from histoloom.prepare.duplicates.pairs import DUPLICATE_COLUMNS
from histoloom.prepared import read_table

PREPARED = ("images", "masks", "instances", "second-instances", "index", "skipped", "dataset")
INSPECTED = ("findings", "classes", "measures", "nuclei", "sheet", "sizes", "stains")
# A process's peak as Linux counts it begins with that of the process that starts it, so a small one stands between.
LAUNCHER = """import resource, subprocess, sys, time
began = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
sys.exit(code)"""
# Both fail unless they find as many objects as were written.
READ_SHAPES = f"""import sys; from pathlib import Path; sys.path.insert(0, {str(SCRIPTS)!r})
from histoloom.formats.shapes import read_shapes
sys.exit(len(read_shapes(Path(sys.argv[1])).shapes) != int(sys.argv[2]))"""
LOAD_JSON = "import json, sys; sys.exit(len(json.load(open(sys.argv[1]))['features']) != int(sys.argv[2]))"


def main() -> None:
    arguments = parse()
    lines = introduction(arguments)
    for name in arguments.only:
        measure, disk_gb = PARTS[name]
        with tempfile.TemporaryDirectory(prefix="histoloom-") as folder:
            require_space(Path(folder), name, 1 + disk_gb * arguments.scale)
            lines += measure(Path(folder), arguments.scale, arguments.runs)
    write_text(arguments.table, "\n".join([*lines, "", reading(arguments.table)]))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--table", type=Path, required=True, help="Markdown file to write.")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="Parts to measure.")
    parser.add_argument("--runs", type=int, default=3, help="Number of runs of each command.")
    parser.add_argument("--scale", type=float, default=1.0, help="Share of the full sizes; the limits are for 1.")
    return parser.parse_args()


def pannuke_rows(folder: Path, scale: float, runs: int) -> list[str]:
    """One fold of PanNuke by prepare_dataset.py and by `plain_fold`, which must give the same masks and ids."""
    patches = scaled(2656, scale)
    write_fold(folder, patches)
    arrays = folder / "raw" / "Fold 1"
    size = f"{patches} patches in float64, {sum(file.stat().st_size for file in arrays.iterdir()) / 1e9:.1f} GB"
    out, plain_out = folder / "prepared", folder / "plain"
    imports = "from pathlib import Path\nimport imageio.v3 as iio\nimport numpy as np\n"
    source = f"{imports}{inspect.getsource(plain_fold)}import sys\nplain_fold(sys.argv[1], sys.argv[2])"
    plain = [sys.executable, "-c", source, str(arrays), str(plain_out)]
    ours, theirs = alternate([(preparing("pannuke", folder / "raw", out), out), (plain, plain_out)], runs)
    require_same(out, plain_out, patches)
    speed, plain_speed = (patches / np.median(each[:, 0]) for each in (ours, theirs))
    note = f"{speed:.1f} images/s, {speed / plain_speed:.2f} of the plain script's; the same images, masks and ids"
    return [
        line("prepare_dataset.py, one PanNuke fold", size, ours, scale, note=note, limit_mib=1024),
        line("a plain NumPy script, the same fold", size, theirs, scale, note=f"{plain_speed:.1f} images/s"),
    ]


def plain_fold(arrays: str, out: str) -> None:
    """The peer: what one would write by hand for one fold. It runs alone, with NumPy and imageio only."""
    images, masks = (np.load(f"{arrays}/{name}.npy", mmap_mode="r") for name in ("images", "masks"))
    for kind in ("images", "masks", "instances"):
        Path(out, kind).mkdir(parents=True)
    for row in range(len(images)):
        mask, ids, count = np.zeros((256, 256), np.uint8), np.zeros((256, 256), np.uint16), 0
        for channel in range(5):
            values = masks[row, ..., channel]
            for value in np.unique(values[values > 0]):
                count += 1
                is_nucleus = values == value
                mask[is_nucleus], ids[is_nucleus] = channel + 1, count
        iio.imwrite(f"{out}/images/fold1_{row:05d}.png", images[row].astype(np.uint8))
        iio.imwrite(f"{out}/masks/fold1_{row:05d}.png", mask)
        iio.imwrite(f"{out}/instances/fold1_{row:05d}.png", ids)


def brecahad_rows(folder: Path, scale: float, runs: int) -> list[str]:
    """Fields of BreCaHAD's size with a point on each nucleus, by prepare_dataset.py."""
    fields = scaled(162, scale)
    points = write_fields(folder / "raw", fields)
    out = folder / "prepared"
    (ours,) = alternate([(preparing("brecahad", folder / "raw", out), out)], runs)
    size = f"{fields} TIFF of {FIELD_PX[1]} x {FIELD_PX[0]}, {points / fields:.0f} points each"
    return [line("prepare_dataset.py, BreCaHAD", size, ours, scale, limit_s=60)]


def duplicates_rows(folder: Path, scale: float, runs: int) -> list[str]:
    """Tiles of which a few are altered copies, by find_duplicates.py."""
    tiles = scaled(10_000, scale)
    planted = write_tiles(folder, tiles)
    found_csv = folder / "found" / "duplicates.csv"
    flags = ["--index", str(folder / "index.csv"), "--duplicates", str(found_csv)]
    (ours,) = alternate([(script("find_duplicates", *flags), found_csv.parent)], runs)
    found = {(pair["first"], pair["second"]) for pair in read_table(found_csv)}
    note = f"{len(found & planted)} of {len(planted)} planted copies found, {len(found - planted)} other pairs"
    return [line("find_duplicates.py", f"{tiles} PNG of 256 x 256", ours, scale, note=note, limit_s=60)]


def geojson_rows(folder: Path, scale: float, runs: int) -> list[str]:
    """Nuclei as QuPath 0.5 exports them, by read_shapes and by json.load, which makes no geometries."""
    path = folder / "nuclei.geojson"
    nuclei = write_geojson(path, scaled(200_000_000, scale))
    words = [str(path), str(nuclei)]
    commands = [([sys.executable, "-c", source, *words], folder / "none") for source in (READ_SHAPES, LOAD_JSON)]
    ours, theirs = alternate(commands, runs)
    size = f"{path.stat().st_size / 1e6:.0f} MB, {nuclei} nuclei of 35 vertices"
    times, memory = np.median(ours[:, 0]) / np.median(theirs[:, 0]), ours[:, 1].max() / theirs[:, 1].max()
    note = f"{times:.1f} x the seconds and {memory:.2f} x the memory of json.load"
    return [
        line("read_shapes, GeoJSON", size, ours, scale, note=note, limit_mib=2048),
        line("json.load, no geometries made", size, theirs, scale),
    ]


def inspect_rows(folder: Path, scale: float, runs: int) -> list[str]:
    """A prepared PanNuke fold by inspect_dataset.py: all patches, and few of them to know what its start takes."""
    patches, out = scaled(500, scale), folder / "prepared"
    few = min(20, patches // 2)
    write_fold(folder, patches)
    subprocess.run(preparing("pannuke", folder / "raw", out), check=True, capture_output=True)
    rows = (out / "index").read_text(encoding="utf-8").splitlines(keepends=True)
    write_text(out / "few", "".join(rows[: few + 1]))
    write_table(out / "duplicates", DUPLICATE_COLUMNS, [])
    inspected = folder / "inspected"
    paths = {name: out / name for name in ("dataset", "skipped", "duplicates")}
    paths |= {name: inspected / f"{name}.png" for name in INSPECTED}
    commands = [
        script("inspect_dataset", *flags_of(paths | {"index": out / index}), "--examples", "12")
        for index in ("index", "few")
    ]
    ours, start = alternate([(command, inspected) for command in commands], runs)
    each_ms = 1000 * (np.median(ours[:, 0]) - np.median(start[:, 0])) / (patches - few)
    note = f"{each_ms:.1f} ms for each image beyond the first {few}"
    return [
        line("inspect_dataset.py", f"{patches} patches of 256 x 256", ours, scale, note=note),
        line("its start and figures", f"{few} of these patches", start, scale),
    ]


def scaled(count: int, scale: float) -> int:
    return max(1, round(count * scale))


def preparing(reader: str, root: Path, out: Path) -> list[str]:
    """The command that prepares a dataset into `out`; its tables have no suffix."""
    words = ["--name", reader, "--reader", reader, "--root", str(root), "--on-bad-image", "stop"]
    return script("prepare_dataset", *words, *flags_of({name: out / name for name in PREPARED}))


def flags_of(paths: dict[str, Path]) -> list[str]:
    return [word for name, path in paths.items() for word in (f"--{name}", str(path))]


def script(name: str, *words: str) -> list[str]:
    return [sys.executable, str(SCRIPTS / f"{name}.py"), *words]


def alternate(commands: Sequence[tuple[list[str], Path]], runs: int) -> np.ndarray:
    """Run the commands in turn: seconds and MiB as (commands, runs, 2). The folder each writes is removed before."""
    done = np.zeros((len(commands), runs, 2))
    for number in range(runs):
        for place, (command, out) in enumerate(commands):
            shutil.rmtree(out, ignore_errors=True)
            done[place, number] = measured(command)
    return done


def measured(command: list[str]) -> list[float]:
    """Wall seconds of a command, and the largest resident MiB of one of its processes."""
    launched = [sys.executable, "-I", "-S", "-c", LAUNCHER, *command]
    ended = subprocess.run(launched, cwd=ROOT, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{command[:3]}: ended with {ended.returncode}\n{ended.stderr[-2000:]}")
    return [float(figure) for figure in ended.stdout.split()]


def require_space(folder: Path, name: str, needed_gb: float) -> None:
    free_gb = shutil.disk_usage(folder).free / 1e9
    if free_gb < needed_gb:
        raise InputError(
            f"{folder.parent}: {free_gb:.1f} GB free; expected {needed_gb:.1f} GB for part '{name}'; make room, set "
            "TMPDIR to another folder, or give --scale"
        )


def require_same(first: Path, second: Path, count: int) -> None:
    """Make sure that both folders hold the same `count` images, masks and ids."""
    for kind in ("images", "masks", "instances"):
        paths = sorted((first / kind).iterdir())
        differ = [path.name for path in paths if (iio.imread(path) != iio.imread(second / kind / path.name)).any()]
        if differ or len(paths) != count:
            raise RuntimeError(f"{kind}: {len(differ)} of {len(paths)} files differ from the plain script's")


def introduction(arguments: argparse.Namespace) -> list[str]:
    """Command, machine and what the columns mean."""
    command = " ".join(["python benchmarks/prepare.py", *sys.argv[1:]])
    return [
        "# Preparing",
        "",
        f"`{command}` on {os.cpu_count()} cores, {processor()}, Python {platform.python_version()}; medians of "
        f"{arguments.runs} runs (least to most), peers in turn with ours. Data are procedural, of real size times "
        f"{arguments.scale:g}. Memory is the largest resident size of a process in any run, pages of mapped files "
        "included. A limit is met when the worst run meets it.",
        "",
        "| what | size | limit | measured | peak memory, MiB | verdict |",
        "|---|---|---|---|---|---|",
    ]


def line(
    what: str,
    size: str,
    runs: np.ndarray,
    scale: float,
    *,
    note: str = "",
    limit_s: float | None = None,
    limit_mib: float | None = None,
) -> str:
    """A row of the table; `runs` is (runs, 2), seconds and MiB."""
    least, (worst, peak) = runs[:, 0].min(), runs.max(axis=0)
    spread = f"{np.median(runs[:, 0]):.2f} s ({least:.2f} to {worst:.2f})"
    limits = [(limit, unit, found) for limit, unit, found in ((limit_s, "s", worst), (limit_mib, "MiB", peak)) if limit]
    limit = ", ".join(f"{limit:g} {unit}" for limit, unit, _ in limits) or "none set"
    met = "met" if all(found < limit for limit, _, found in limits) else "missed"
    verdict = "" if not limits else met if scale == 1 else "not judged: not the full size"
    told = "; ".join(filter(None, (verdict, note)))
    return f"| {what} | {size} | {limit} | {spread} | {peak:.0f} | {told} |"


PARTS = {  # name: what measures it, and gigabytes of disk that it takes at full size, rounded up
    "pannuke": (pannuke_rows, 15),
    "brecahad": (brecahad_rows, 2),
    "duplicates": (duplicates_rows, 3),
    "geojson": (geojson_rows, 1),
    "inspect": (inspect_rows, 4),
}

if __name__ == "__main__":
    run(main)
