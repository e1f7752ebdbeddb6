"""Measure overlap-tile prediction beside its peers in the same run, and write benchmarks/inference.md.

    python benchmarks/inference.py --table benchmarks/inference.md

Run it alone on the machine. Each engine is a process of its own, which warms up once and then takes its turn. Images,
slides and models are made in the folder of temporary files (TMPDIR) and removed again. A person's text under "Reading"
in the table is kept. TIAToolbox is a peer but no dependency of the project, and asks for older libraries; without it
the table says so. Give it an environment of its own, which finds torch in this one:

    python -m venv tiatoolbox
    tiatoolbox/bin/pip install --no-deps tiatoolbox==2.1.3
    tiatoolbox/bin/pip install "numpy<2.4.4" "opencv-python-headless<5" "zarr<3.2" "pandas<3.0.3" "dask<2026.7.1" \\
        umap-learn SimpleITK defusedxml universal-pathlib wsidicom flask flask-cors bokeh glymur pydicom s3fs \\
        huggingface_hub "transformers<5.14.1"
    python -c "import sysconfig; print(sysconfig.get_path('purelib'))" > \\
        tiatoolbox/lib/python3.11/site-packages/histoloom.pth
    python benchmarks/inference.py --tiatoolbox tiatoolbox --table benchmarks/inference.md
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from inference_data import ROOT, write_image, write_model, write_slide
from inference_processes import Engines, swept
from real_samples import processor, reading

sys.path.insert(0, str(ROOT / "scripts"))

from histoloom.errors import run
from histoloom.files import write_text

TILE_PX, OVERLAP = 256, 16
IS_GPU = torch.cuda.is_available()
WINDOWS = ("constant", "gaussian")
# Side of the image, tiles in a batch, steps that the network is taught, and weights of a tile's pixels to compare.
NETWORKS = {"unet_small": (4096, 64, 100, WINDOWS), "unet": (4096, 64, 100, WINDOWS)} if IS_GPU else {
    "unet_small": (1024, 8, 60, WINDOWS),
    "unet": (256, 4, 30, WINDOWS[:1]),  # a quarter of a second for each tile
}  # fmt: skip
DOCUMENTED, TUNED = ("MONAI", "TIAToolbox"), ("MONAI tuned", "MONAI tuned, not compiled", "MONAI tuned, buffered")
PEERS = ("ours", "ours compiled", "ours float32", "plain loop", *DOCUMENTED, *TUNED)


def main() -> None:
    arguments = parse()
    lines = introduction(arguments)
    with tempfile.TemporaryDirectory(prefix="histoloom-") as folder:
        for name in arguments.networks:
            write_model(Path(folder) / f"{name}.safetensors", name, NETWORKS[name][2], TILE_PX)
        for part in arguments.only:
            lines += ["", f"## {TITLES[part]}"]
            for rows in PARTS[part](Path(folder), arguments):
                lines += ["", *rows]
                # After each table, so that nothing measured is lost when a later one fails.
                write_text(arguments.table, "\n".join([*lines, "", reading(arguments.table)]))


def speed_rows(folder: Path, arguments: argparse.Namespace) -> Iterator[list[str]]:
    """Seconds of every engine on the same image, weights and definition, in turn."""
    for network in arguments.networks:
        side = arguments.side or NETWORKS[network][0]
        write_image(folder / "image.npy", side)
        for window in (name for name in arguments.windows if name in NETWORKS[network][3]):
            peers = [name for name in arguments.peers if usable(name, window, arguments)]
            flags = {"tile-px": TILE_PX, "overlap": OVERLAP, "window": window, **shared(network, folder, arguments)}
            with Engines(peers, {"image": folder / "image.npy", **flags}, folder, arguments.tiatoolbox) as engines:
                runs = [engines.run() for _ in range(arguments.runs)]
                classes = engines.classes()
            table = peer_table(runs, classes)
            yield [f"### {network}, {side} x {side} px, {window}", "", *table, "", *goals(runs, classes)]


def usable(name: str, window: str, arguments: argparse.Namespace) -> bool:
    """Whether there is this peer, and it knows the window."""
    return name != "TIAToolbox" or (arguments.tiatoolbox is not None and window == "constant")


def shared(network: str, folder: Path, arguments: argparse.Namespace) -> dict[str, object]:
    """Flags that every process is given."""
    batch_size = arguments.batch_size or NETWORKS[network][1]
    return {"model": folder / f"{network}.safetensors", "batch-size": batch_size, "threads": arguments.threads}


def ms_a_tile(runs: list[dict], name: str) -> np.ndarray:
    """Milliseconds for a tile in each run."""
    return np.array([1000 * run[name]["seconds"] / run[name]["tiles"] for run in runs])


def slower(runs: list[dict], name: str, mine: str) -> float:
    """How many times as long as `mine` an engine takes for a tile, median over runs."""
    return float(np.median(ms_a_tile(runs, name) / ms_a_tile(runs, mine)))


def network_share(runs: list[dict], name: str) -> float:
    """Share of the time that is the network's forward passes, median over runs."""
    return float(np.median([run[name]["network_seconds"] / run[name]["seconds"] for run in runs]))


def agreement(classes: dict[str, np.ndarray], name: str) -> float:
    """Share of pixels that have the class of the plain loop."""
    return float((classes[name] == classes["plain loop"]).mean())


def peer_table(runs: list[dict], classes: dict[str, np.ndarray]) -> list[str]:
    """A row for each engine."""
    lines = ["| engine | seconds | ms a tile | times ours | classes as the plain loop's | peak memory, MiB |"]
    lines += ["|---|---|---|---|---|---|"]
    for name in runs[0]:
        seconds = [run[name]["seconds"] for run in runs]
        same = f"{100 * agreement(classes, name):.3f} %" if "plain loop" in classes else "not compared"
        spread = f"{np.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"
        ratio = f"{slower(runs, name, 'ours'):.2f}" if "ours" in runs[0] else "not compared"
        lines.append(
            f"| {name} | {spread} | {np.median(ms_a_tile(runs, name)):.2f} | {ratio} | {same} "
            f"| {runs[-1][name]['peak_mib']:.0f} |"
        )
    return lines


def goals(runs: list[dict], classes: dict[str, np.ndarray]) -> list[str]:
    """What was to be reached, and whether it was."""
    names, lines = runs[0], []
    for name in DOCUMENTED:
        if {name, "ours"} <= names.keys():
            lines.append(goal(f"{name} as documented, times ours", slower(runs, name, "ours"), 5))
    tuned = [name for name in TUNED if name in names]
    mine = [name for name in ("ours", "ours compiled") if name in names]
    if tuned and mine:
        # Whether compiling pays depends on the processor, so the quickest of each is taken.
        best = min(mine, key=lambda name: np.median(ms_a_tile(runs, name)))
        least = min(slower(runs, name, best) for name in tuned)
        lines.append(goal(f"the quickest tuned MONAI, times {best}", least, 1.2))
    for name in ("ours", "ours compiled"):
        if name in names:
            lines.append(goal(f"share of the network, {name}", network_share(runs, name), 0.95))
            if "plain loop" in classes:
                lines.append(goal(f"same classes, {name}", agreement(classes, name), 0.999, digits=5))
    return lines


def goal(what: str, value: float, least: float, digits: int = 2) -> str:
    """A line of the list of goals."""
    return f"- {what}: {value:.{digits}f}, goal {least}: {'met' if value >= least else 'missed'}"


def memory_rows(folder: Path, arguments: argparse.Namespace) -> Iterator[list[str]]:
    """Peak memory of whole processes as images grow: ours streamed, the peers as they are."""
    network = arguments.networks[0]
    flags = shared(network, folder, arguments)
    lines = [
        f"{network}, batch {flags['batch-size']}; whole processes with libraries and network. Ours reads made rows: "
        "whole squares at 1-fold overlap, and the first 1024 rows of them at 16-fold.",
        "",
        "| side, px | ours, 1-fold, MiB | its seconds | ours, 16-fold, 1024 rows, MiB |",
        "|---|---|---|---|",
    ]
    for side in arguments.memory_sides:
        whole = swept({**flags, "side": side, "overlap": 1})
        wide = swept({**flags, "side": side, "overlap": OVERLAP, "rows": min(side, 1024)})
        lines.append(f"| {side} | {whole['peak_mib']:.0f} | {whole['seconds']:.0f} | {wide['peak_mib']:.0f} |")
    yield lines
    yield peer_memory_rows(folder, arguments, flags)


def peer_memory_rows(folder: Path, arguments: argparse.Namespace, flags: dict[str, object]) -> list[str]:
    """Peak memory of the peers, on an image that is in memory."""
    peers = [name for name in ("ours", *DOCUMENTED) if usable(name, "constant", arguments)]
    lines = [
        "Of an image in memory, 1-fold, MiB:",
        "",
        f"| side, px | {' | '.join(peers)} |",
        "|---" * (len(peers) + 1) + "|",
    ]
    for side in arguments.peer_memory_sides:
        write_image(folder / "image.npy", side)
        own = {"image": folder / "image.npy", "tile-px": TILE_PX, "overlap": 1, **flags}
        peaks = []
        for name in peers:
            with Engines([name], own, folder, arguments.tiatoolbox) as engines:
                peaks.append(f"{engines.ready[name]['peak_mib']:.0f}")
        lines.append(f"| {side} | {' | '.join(peaks)} |")
    return lines


def slide_rows(folder: Path, arguments: argparse.Namespace) -> Iterator[list[str]]:
    """A slide from its file to bands on disk, against nothing but forward passes on random numbers that are there."""
    side = arguments.slide_side
    write_slide(folder / "slide.tif", side)
    lines = [
        f"A made slide of {side} x {side} px as JPEG tiles, {OVERLAP}-fold, read, predicted and written as "
        "scripts/predict_slide.py does. Ceiling: forward passes on random tensors that are resident.",
        "",
        "| network, batch | seconds | ms a tile | ceiling, ms a tile | ceiling / all | network / all | peak, MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for network in arguments.networks:
        flags = {**shared(network, folder, arguments), "slide": folder / "slide.tif", "overlap": OVERLAP}
        runs = [swept({**flags, "out": folder / f"bands_{network}_{n}"}) for n in range(arguments.runs)]
        facts = sorted(runs, key=lambda run: run["seconds"])[len(runs) // 2]
        ms, ceiling = 1000 * facts["seconds"] / facts["tiles"], facts["ceiling_ms_a_tile"]
        lines.append(
            f"| {network}, {flags['batch-size']} | {facts['seconds']:.1f} | {ms:.3f} | {ceiling:.3f} "
            f"| {ceiling / ms:.2f} | {facts['network_seconds'] / facts['seconds']:.2f} | {facts['peak_mib']:.0f} |"
        )
    yield lines


def introduction(arguments: argparse.Namespace) -> list[str]:
    """What was run, and on what machine."""
    device = torch.cuda.get_device_name() if IS_GPU else "no GPU"
    toolbox = "" if arguments.tiatoolbox else " TIAToolbox was not there."
    return [
        "# Prediction, measured",
        "",
        f"Made by `python benchmarks/inference.py`, {arguments.runs} runs of each engine in turn. Machine: "
        f"{os.cpu_count()} cores, {processor()}, {device}; {arguments.threads} threads, Python "
        f"{platform.python_version()}, torch {torch.__version__}. Tiles of {TILE_PX} px, {OVERLAP} of which see each "
        f"pixel, mirrored borders; networks taught for a minute on made tissue.{toolbox}",
    ]


PARTS = {"speed": speed_rows, "slide": slide_rows, "memory": memory_rows}
TITLES = {"speed": "Image to classes", "slide": "Slide to bands on disk", "memory": "Memory"}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, required=True, help="Markdown file to write.")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="Parts to measure.")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS), help="Architectures.")
    parser.add_argument("--windows", nargs="+", default=list(WINDOWS), help="Weights of a tile's pixels.")
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), help="Engines to compare.")
    parser.add_argument("--tiatoolbox", type=Path, help="Environment that has TIAToolbox.")
    parser.add_argument("--runs", type=int, default=3, help="Number of runs of each engine, in turn.")
    parser.add_argument("--side", type=int, default=0, help="Side of the image; 0: as suits the network.")
    parser.add_argument("--batch-size", type=int, default=0, help="Tiles in a batch; 0: as suits the network.")
    parser.add_argument("--slide-side", type=int, default=16384 if IS_GPU else 1024, help="Side of the slide.")
    parser.add_argument("--memory-sides", nargs="+", type=int, default=[4096, 8192, 16384, 32768], help="Ours.")
    parser.add_argument("--peer-memory-sides", nargs="+", type=int, default=[2048, 4096], help="The peers.")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads.")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
