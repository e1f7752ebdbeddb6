"""Measure scores of nuclei beside MONAI and the algorithm as it was published, and write benchmarks/metrics.md.

    python benchmarks/metrics.py --table benchmarks/metrics.md

Run it alone on the machine. The nuclei are procedural and stay in memory: MONAI holds a mask of four bytes a pixel for
each nucleus, 16 GB for the largest image, and is left out where that is more than half of what is free. A person's
text under "Reading" in the table is kept.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from monai.metrics.panoptic_quality import compute_panoptic_quality
from real_samples import processor, reading
from scipy.ndimage import center_of_mass
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from histoloom.errors import run
from histoloom.evaluate.counting.facts import FACTS, NUCLEI
from histoloom.evaluate.counting.nuclei_centroids import pair_centroids
from histoloom.evaluate.counting.nuclei_counts import nuclei_counts
from histoloom.files import write_text
from histoloom.metrics.aji import aji
from histoloom.metrics.pq import pq

ALL_FACTS = [name for name, fact in FACTS.items() if fact.needs == NUCLEI]
RADIUS_PX, EDGES_PX = 12.0, (320.0, 800.0, 1600.0)
OURS, MONAI = "histoloom, PQ", "MONAI, PQ"
OURS_BOTH, REFERENCE = "histoloom, PQ and AJI", "as published, PQ and AJI"
EVERYTHING = "histoloom, all facts of nuclei"
GOAL_SECONDS, GOAL_MONAI, GOAL_REFERENCE = 0.1, 200, 100
LEAST_SECONDS = 0.2  # that the first call after another way, without anything in the caches, does not decide
TOLERANCE = {MONAI: 1e-4, REFERENCE: 1e-9}  # MONAI counts in float32


def main() -> None:
    arguments = parse()
    torch.set_num_threads(1)
    lines = [
        *introduction(arguments),
        "| image | nuclei | what | ms | processor ms | times ours |",
        "|---|---|---|---|---|---|",
    ]
    goals, others = [], ["| image | nuclei | detection F1 | by HoVer-Net's pairs |", "|---|---|---|---|"]
    for side, nuclei in zip(arguments.sides, arguments.nuclei, strict=True):
        seconds = measured(side, nuclei, arguments.runs)
        lines += rows(side, nuclei, seconds)
        goals += judged(side, nuclei, seconds)
        others.append(centroid_row(side, nuclei))
        # After each size, so that nothing measured is lost when a later one fails.
        write_text(arguments.table, "\n".join([*lines, "", *goals, "", *others, "", reading(arguments.table)]))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, required=True, help="Markdown file to write.")
    parser.add_argument("--runs", type=int, default=5, help="Number of runs of each way, in turn.")
    parser.add_argument("--sides", type=int, nargs="+", default=[256, 512, 1024, 1024], help="Sides of the images, px.")
    parser.add_argument("--nuclei", type=int, nargs="+", default=[125, 500, 1000, 2000], help="Nuclei in each of them.")
    return parser.parse_args()


def drawn(side: int, nuclei: int) -> tuple[np.ndarray, np.ndarray]:
    """Truth and prediction: touching ellipses, and the same ones moved, resized, one in twenty lost or made up."""
    rng = np.random.default_rng(side)
    spacing = side / np.sqrt(nuclei)
    across = int(np.ceil(np.sqrt(nuclei)))
    places = (np.stack(np.meshgrid(*[np.arange(across)] * 2), axis=-1).reshape(-1, 2)[:nuclei] + 0.5) * side / across
    places = places + rng.normal(0, spacing * 0.2, places.shape)
    axes, angles = spacing * rng.uniform(0.55, 1.0, places.shape), rng.uniform(0, 180, nuclei)
    truth, predicted = np.zeros((2, side, side), np.int32)
    for number in range(nuclei):
        _ellipse(truth, places[number], axes[number], angles[number], number + 1)
        place = rng.uniform(0, side, 2) if rng.random() < 0.05 else places[number] + rng.normal(0, spacing * 0.06, 2)
        _ellipse(predicted, place, axes[number] * rng.uniform(0.8, 1.2), angles[number], number + 1)
    return truth, predicted


def measured(side: int, nuclei: int, runs: int) -> dict[str, np.ndarray]:
    """Wall and processor seconds of each way (runs, 2), run after run in turn; all must give the same scores."""
    truth, predicted = drawn(side, nuclei)
    mask = (truth > 0).astype(np.uint8)
    classes = dict.fromkeys(np.unique(predicted).tolist(), 1)

    def counted(*facts: str) -> dict[str, np.ndarray]:
        found = nuclei_counts(truth, mask, predicted, classes, 2, facts, RADIUS_PX, EDGES_PX)
        return {name: values[None] for name, values in found.items()}

    def both() -> list[float]:
        facts = counted("pairs", "aggregated")
        return [pq(facts["pairs"])[0, 0], aji(facts["aggregated"])[0, 0]]

    tensors = [torch.from_numpy(each) for each in (predicted, truth)]
    ways: dict[str, Callable[[], object]] = {
        OURS: lambda: [pq(counted("pairs")["pairs"])[0, 0]],
        MONAI: lambda: [float(compute_panoptic_quality(*tensors))],
        OURS_BOTH: both,
        REFERENCE: lambda: by_masks(truth, predicted),
        EVERYTHING: lambda: counted(*ALL_FACTS),
    }
    if 4 * truth.size * 2 * nuclei > free_bytes() / 2:
        del ways[MONAI]
    scores, seconds = both(), {name: np.zeros((runs, 2)) for name in ways}
    for number in range(runs):
        for name, way in ways.items():
            found, seconds[name][number] = timed(way)
            if name in TOLERANCE:
                np.testing.assert_allclose(found, scores[: len(found)], atol=TOLERANCE[name])
    return seconds


def timed(way: Callable[[], object]) -> tuple[object, np.ndarray]:
    """What a way gives, and its wall and processor seconds: the mean over as many calls as fit into LEAST_SECONDS."""
    began, calls = np.array([time.perf_counter(), time.process_time()]), 0
    while True:
        found, calls = way(), calls + 1
        took = np.array([time.perf_counter(), time.process_time()]) - began
        if took[0] >= LEAST_SECONDS:
            return found, took / calls


def by_masks(truth: np.ndarray, predicted: np.ndarray) -> list[float]:
    """The peer: PQ (Kirillov 2019) and AJI (Kumar 2017), each from its own comparison of masks, pair by pair."""
    shared, union = compared(truth, predicted)
    iou = shared / union
    found = iou > 0.5
    pq_found = iou[found].sum() / (found.sum() + (~found.any(axis=1)).sum() / 2 + (~found.any(axis=0)).sum() / 2)
    shared, union = compared(truth, predicted)
    best = (shared / union).argmax(axis=1)
    each = np.arange(len(best))
    unused = np.setdiff1d(np.arange(union.shape[1]), best[shared[each, best] > 0])
    areas = np.unique(predicted[predicted > 0], return_counts=True)[1]
    return [pq_found, shared[each, best].sum() / (union[each, best].sum() + areas[unused].sum())]


def compared(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels shared and united by every true and predicted nucleus; of two that do not touch, the true one's area."""
    ids = [np.unique(each[each > 0]) for each in (truth, predicted)]
    others = [(predicted == number).astype(np.uint8) for number in ids[1]]
    shared, union = np.zeros((2, len(ids[0]), len(ids[1])))
    for row, number in enumerate(ids[0]):
        mask = (truth == number).astype(np.uint8)
        union[row] = mask.sum()
        for other in np.unique(predicted[mask > 0]):
            if other:
                column = np.searchsorted(ids[1], other)
                shared[row, column] = (mask * others[column]).sum()
                union[row, column] = (mask + others[column]).sum() - shared[row, column]
    return shared, union


def centroid_row(side: int, nuclei: int) -> str:
    """Detection F1 of one image by the most pairs within the radius, and by HoVer-Net's way of pairing."""
    maps = drawn(side, nuclei)
    points = [np.array(center_of_mass(ids > 0, ids, np.unique(ids[ids > 0]))) for ids in maps]
    ours = len(pair_centroids(*points, RADIUS_PX)[0])
    distance = cdist(*points)
    theirs = (distance[linear_sum_assignment(distance)] <= RADIUS_PX).sum()
    scores = (2 * found / sum(map(len, points)) for found in (ours, theirs))
    return f"| {side} x {side} | {nuclei} | {' | '.join(f'{score:.3f}' for score in scores)} |"


def rows(side: int, nuclei: int, seconds: dict[str, np.ndarray]) -> list[str]:
    """A row of the table for each way; MONAI is set against PQ alone, the published algorithm against both scores."""
    against = {MONAI: OURS, REFERENCE: OURS_BOTH}
    lines = []
    for name, runs in seconds.items():
        ratio = f"{times(seconds, name, against[name]):.0f}" if name in against else ""
        wall, processor_time = (1e3 * each for each in runs.T)
        spread = f"{np.median(wall):.1f} ({wall.min():.1f} to {wall.max():.1f})"
        lines.append(f"| {side} x {side} | {nuclei} | {name} | {spread} | {np.median(processor_time):.1f} | {ratio} |")
    if MONAI not in seconds:
        lines.append(f"| {side} x {side} | {nuclei} | {MONAI} | not run: too little memory for its masks | | |")
    return lines


def judged(side: int, nuclei: int, seconds: dict[str, np.ndarray]) -> list[str]:
    """What was to be reached with this image, and whether it was."""
    name, both = f"{nuclei} nuclei in {side} x {side}", float(np.median(seconds[OURS_BOTH][:, 1]))
    lines = []
    if (side, nuclei) == (1024, 2000):
        met = "met" if both < GOAL_SECONDS else "missed"
        lines.append(f"- PQ and AJI of {name}: {both:.3f} processor seconds, goal under {GOAL_SECONDS} s: {met}")
    for peer, mine, goal in ((MONAI, OURS, GOAL_MONAI), (REFERENCE, OURS_BOTH, GOAL_REFERENCE)):
        if peer in seconds:
            ratio = times(seconds, peer, mine)
            lines.append(f"- {peer}, {name}: {ratio:.0f} x, goal {goal} x: {'met' if ratio >= goal else 'missed'}")
    return lines


def times(seconds: dict[str, np.ndarray], name: str, mine: str) -> float:
    """How many times the processor seconds of ours a way takes, median over the turns."""
    return float(np.median(seconds[name][:, 1] / seconds[mine][:, 1]))


def free_bytes() -> int:
    """Memory that Linux says can be had without swapping."""
    lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))


def introduction(arguments: argparse.Namespace) -> list[str]:
    """Command, machine and what is compared."""
    command = " ".join(["python benchmarks/metrics.py", *sys.argv[1:]])
    return [
        "# Metrics of nuclei",
        "",
        f"`{command}` on {os.cpu_count()} cores, {processor()}, Python {platform.python_version()}, load "
        f"{os.getloadavg()[0]:.1f} at the start; medians of {arguments.runs} runs in turn in one process (least to "
        "most), all on one thread, from two maps of ids to the score. Ratios are of processor time, within each turn, "
        "so that other programs matter little. MONAI: compute_panoptic_quality as documented. As published: PQ and AJI "
        "by comparing masks pair by pair, as the public reference code of the field works. All ways must agree on the "
        "scores, or the run fails. Below: what a definition of pairs by centroid does to F1.",
        "",
    ]


def _ellipse(canvas: np.ndarray, place: np.ndarray, axes: np.ndarray, angle: float, number: int) -> None:
    cv2.ellipse(canvas, (tuple(place.tolist()), tuple(axes.tolist()), float(angle)), number, -1)


if __name__ == "__main__":
    run(main)
