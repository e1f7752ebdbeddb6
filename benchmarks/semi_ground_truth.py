"""Measure what rounds of semi-ground truth give back of what sparse annotation loses: benchmarks/semi_ground_truth.md.

python benchmarks/semi_ground_truth.py --folder FOLDER --runs runs.jsonl --datasets nuclei --seeds 0 1 2 \\
    --arms dense sparse_5 default --table benchmarks/semi_ground_truth.md

Needs the real samples (README.md) at study.samples of benchmarks/semi_ground_truth.yaml. Each result is a line of the
file `runs` as soon as it is there; what the file holds already is not run again, and the table is made of all of it.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from semi_ground_truth_runs import Case, laid_out, rounds, script, with_seed
from semi_ground_truth_table import tables

from histoloom.errors import run
from histoloom.files import write_json, write_text
from histoloom.prepared import IndexRow, read_index
from histoloom.study.merging import read_config
from histoloom.study.sections import section

HERE = Path(__file__).parent
FILES = (HERE.parent / "config" / "config.yaml", HERE / "semi_ground_truth.yaml")
PEN = {"width_px": 5, "length_px": 100}  # native pixels: 1.25 and 25 µm of CoNSeP
SHARES = {"dense": 0.0, "sparse_1": 0.01, "sparse_5": 0.05, "sparse_20": 0.2}
# What is tried, on the strokes of sparse_5 unless `strokes` says otherwise: what differs from section `rounds`, and
# beside it
# - reach_px: farthest that an accepted pixel of each class may lie from what was drawn of the class, in native pixels;
#   0: none is accepted as it;
# - is_seen: pixels are labelled by the model that was trained on them, not by those that have not seen the image;
# - consistency: no rounds, but a mean teacher, whose term has this weight;
# - rest: no rounds, but all that nobody drew counts as background, with this weight.
WIDE = {"count": 1, "confidence": 0.8, "class_share": 1.0, "weight": 1.0}
TRIED: dict[str, dict[str, Any]] = {
    "default": {},
    "default_1": {"strokes": "sparse_1"},
    "default_20": {"strokes": "sparse_20"},
    "wide": WIDE,
    "wide_seen": WIDE | {"is_seen": True},
    "mean_teacher": {"count": 0, "consistency": 5.0},
    "background": {"count": 1, "reach_px": (math.inf, 0)},
    "background_wide": WIDE | {"reach_px": (math.inf, 0)},
    "background_sure": WIDE | {"reach_px": (math.inf, 0), "confidence": 0.9},
    "background_light": WIDE | {"reach_px": (math.inf, 0), "weight": 0.5},
    "near_seen": WIDE | {"reach_px": (math.inf, 8), "is_seen": True},
    "rest": {"count": 0, "rest": 0.03},
    "rest_heavy": {"count": 0, "rest": 0.1},
}
PATCHES = 2  # training patches of each CoNSeP tile: with all sixteen of them, 5 % of the pixels taught as much as all


def main() -> None:
    arguments = parse()
    config = read_config(FILES, {})
    done = read_lines(arguments.runs)
    for dataset in arguments.datasets:
        dense = dense_index(arguments.folder / dataset / "dense", dataset, Path(config["study"]["samples"]))
        for seed in arguments.seeds:
            folder = arguments.folder / dataset / f"seed{seed}"
            for line in results(folder, dataset, seed, arguments.arms, config, dense, done):
                done.append(line)
                with arguments.runs.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
    if arguments.table:
        write_text(arguments.table, tables(done, arguments.table))


def results(
    folder: Path,
    dataset: str,
    seed: int,
    arms: Sequence[str],
    config: Mapping[str, Any],
    dense: Path,
    done: Sequence[Mapping[str, Any]],
) -> Iterator[dict[str, Any]]:
    """What one seed's arms came to, each as soon as it is known."""
    known = {(line["dataset"], line["seed"], line["arm"], line["round"]) for line in done}
    finished = {key[:3] for line, key in zip(done, map(key_of, done), strict=True) if line["is_last"]}
    own, parts = with_seed(config, seed), parts_of(read_index(dense), dataset, seed)

    def case(arm: str) -> Case:
        pen = PEN | {"share": SHARES[arm]}
        return laid_out(folder / arm, dataset, own, dense, parts, pen)

    for arm in arms:
        if (dataset, seed, arm) in finished:
            continue
        values = section(config, "rounds", dataset) | TRIED.get(arm, {"count": 0})
        strokes = values.get("strokes", "sparse_5") if arm in TRIED else arm
        for line in rounds(case(strokes), folder / arm, values, case("dense")):
            full = {"dataset": dataset, "seed": seed, "arm": arm, "strokes": strokes, **line}
            if key_of(full) not in known:
                yield full


def key_of(line: Mapping[str, Any]) -> tuple[str, int, str, int]:
    """What makes a line unique."""
    return line["dataset"], line["seed"], line["arm"], line["round"]


def parts_of(rows: Sequence[IndexRow], dataset: str, seed: int) -> dict[str, str]:
    """The part of each image; every third seed tests the same ones, and all three together test nearly all.

    nuclei: one fold is tested, of the eight tiles of the others two validate, and PATCHES patches of each of the rest
    train. slide: of each of the four tiles of a fold three patches train, two validate, eleven are tested. tumour: of
    ten tiles three are tested, two validate, five train.
    """
    rng, turn = np.random.default_rng(seed), seed % 3
    if dataset == "slide":
        parts = {row.name: "test" if row.fold == turn + 1 else "left_out" for row in rows}
        for group in sorted({row.group for row in rows if row.fold == turn + 1}):
            drawn = rng.permutation([row.name for row in rows if row.group == group]).tolist()
            parts |= dict.fromkeys(drawn[:3], "train") | dict.fromkeys(drawn[3:5], "val")
        return parts
    if dataset == "tumour":
        order = [rows[place].name for place in np.random.default_rng(0).permutation(len(rows))]
        order = order[3 * turn :] + order[: 3 * turn]
        rest = list(rng.permutation(order[3:]))
        return dict.fromkeys(order[:3], "test") | dict.fromkeys(rest[:2], "val") | dict.fromkeys(rest[2:], "train")
    parts = {row.name: "test" if row.fold == turn + 1 else "left_out" for row in rows}
    for fold in {1, 2, 3} - {turn + 1}:
        first, *others = rng.permutation(sorted({row.group for row in rows if row.fold == fold}))
        parts |= {row.name: "val" for row in rows if row.group == first}
        for group in others:
            names = [row.name for row in rows if row.group == group]
            parts |= dict.fromkeys(rng.choice(names, PATCHES, replace=False).tolist(), "train")
    return parts


def dense_index(folder: Path, dataset: str, samples: Path) -> Path:
    """The index of the prepared samples with their whole truth."""
    index = folder / "index.csv"
    if index.is_file():
        return index
    reader: list[object] = ["folder", "--root", samples / "oscc_tumour"]
    reader += ["--option", "classes=['background=0','tumour=255']"]
    if dataset != "tumour":
        layout = {"study": {"samples": str(samples)}, "datasets": {"consep": {"root": str(folder / "pannuke")}}}
        write_json(folder / "layout.json", layout)  # which is YAML, too
        script("lay_real_samples", "--study", folder / "layout.json")
        reader = ["pannuke", "--root", folder / "pannuke"]
    folders = [
        word for kind in ("images", "masks", "instances", "second-instances") for word in (f"--{kind}", folder / kind)
    ]
    tables = ["--index", index, "--skipped", folder / "skipped.csv", "--dataset", folder / "dataset.json"]
    script("prepare_dataset", "--name", dataset, "--on-bad-image", "stop", "--reader", *reader, *folders, *tables)
    return index


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The results that are there already."""
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="Folder to work in.")
    parser.add_argument("--runs", type=Path, required=True, help="Results, a line each; what it lacks is run.")
    parser.add_argument("--datasets", nargs="*", choices=("nuclei", "slide", "tumour"), default=[], help="What to run.")
    parser.add_argument("--seeds", nargs="*", type=int, default=[], help="Seeds of strokes, weights and parts.")
    parser.add_argument("--arms", nargs="*", choices=(*SHARES, *TRIED), default=[], help="Trainings and rules to run.")
    parser.add_argument("--table", type=Path, help="Markdown file to write.")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
