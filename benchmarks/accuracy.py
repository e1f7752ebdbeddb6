"""Write benchmarks/accuracy.md from a finished run of config/studies/accuracy.yaml: models, and the recipe's parts.

python benchmarks/accuracy.py --results results --benchmarks benchmark --table benchmarks/accuracy.md
"""

import argparse
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from real_samples import cell, processor, read_tsv, reading

from histoloom.errors import run
from histoloom.files import write_text
from histoloom.prepared import read_table

DATASETS = ("consep_half", "brecahad_third")
METRICS = ("dice", "pq", "dq")
PLAIN, RECIPE = "plain_unet_resnet18", "unet_small"
ARCHITECTURES = (RECIPE, "unet_narrow", "segresnet_narrow", "segformer", "unet_resnet18")
PARTS = ("with_maps", "without_augmentation", "without_dice", "without_averaging")
FLOOR = "haematoxylin_otsu"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, help="Folder of the results.")
    parser.add_argument("--benchmarks", type=Path, required=True, help="Folder of Snakemake's benchmark files.")
    parser.add_argument("--table", type=Path, required=True, help="Markdown file to write.")
    arguments = parser.parse_args()
    parts = [line for name in DATASETS for line in section(arguments.results / name, arguments.benchmarks, name)]
    write_text(arguments.table, "\n".join([introduction(), *parts, reading(arguments.table)]))


def introduction() -> str:
    """What was run and how to read it."""
    return f"""# Accuracy

Made by `snakemake --configfile config/studies/accuracy.yaml`, then `python benchmarks/accuracy.py` with the flags in
its first lines; {os.cpu_count()} cores, {processor()}, no GPU, Python {platform.python_version()}. Every fold is
trained and tested; every model sees as many views of the training images, about 2,000 tiles of 128 working pixels.
Scores are means over test images of all nuclei as one class (Dice of pixels; panoptic quality PQ; DQ, the F1 of
detected nuclei), with 95 % intervals by bootstrap over groups; differences are paired, over the same images. `{PLAIN}`
is the plain comparator: segmentation_models.pytorch's U-Net, cross-entropy, Adam at 1e-3 throughout, float32, no
augmentation, tiles side by side.
"""


def section(results: Path, benchmarks: Path, dataset: str) -> list[str]:
    """Tables of one dataset."""
    scores, pairs = read_table(results / "summary.csv"), read_table(results / "comparison.csv")
    return [
        f"## {dataset}",
        "",
        "| model | Dice | PQ | DQ | training, processor seconds |",
        "|---|---|---|---|---|",
        *(score_row(scores, benchmarks, dataset, name) for name in (*ARCHITECTURES, PLAIN, FLOOR)),
        "",
        *difference_rows(pairs, "better than the plain U-Net by", [(name, PLAIN) for name in ARCHITECTURES]),
        *difference_rows(pairs, "better than Otsu by", [(name, FLOOR) for name in (*ARCHITECTURES, PLAIN)]),
        *difference_rows(pairs, f"the recipe on {RECIPE} less", [(RECIPE, name) for name in PARTS]),
    ]


def score_row(scores: Sequence[dict[str, str]], benchmarks: Path, dataset: str, name: str) -> str:
    """A model's scores, and what its training of all folds took."""
    own = {row["metric"]: row for row in scores if (row["architecture"], row["class"]) == (name, "foreground")}
    times = [float(read_tsv(path)["cpu_time"]) for path in (benchmarks / "train" / dataset / name).glob("*.tsv")]
    return f"| {name} | {' | '.join(cell(own[metric]) for metric in METRICS)} | {np.sum(times):.0f} |"


def difference_rows(pairs: Sequence[dict[str, str]], title: str, wanted: Sequence[tuple[str, str]]) -> list[str]:
    """Paired differences, first minus second."""
    rows = [f"| {title} | Dice | PQ | DQ |", "|---|---|---|---|"]
    for first, second in wanted:
        cells = [difference(pairs, first, second, metric) for metric in METRICS]
        rows.append(f"| {second if first == RECIPE and second in PARTS else first} | {' | '.join(cells)} |")
    return [*rows, ""]


def difference(pairs: Sequence[dict[str, str]], first: str, second: str, metric: str) -> str:
    """Mean and interval of first minus second, whichever way round the table has it."""
    for row in pairs:
        if (row["metric"], row["class"]) != (metric, "foreground"):
            continue
        if (row["first"], row["second"]) == (first, second):
            return cell({**row, "mean": row["difference"]})
        if (row["first"], row["second"]) == (second, first):
            values = {"mean": row["difference"], "low": row["high"], "high": row["low"]}
            return cell({name: str(-float(value)) for name, value in values.items()})
    return "not compared"


if __name__ == "__main__":
    run(main)
