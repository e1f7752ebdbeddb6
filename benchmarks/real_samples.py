"""Write benchmarks/real_samples.md from a finished run of `make real-samples`: scores, intervals, floors, seconds.

python benchmarks/real_samples.py --results results --benchmarks benchmark --table benchmarks/real_samples.md
"""

import argparse
import os
import platform
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from histoloom.errors import InputError, run
from histoloom.files import write_text
from histoloom.prepared import read_description, read_table

DATASETS = ("consep", "brecahad", "monuseg", "hou2020", "cryonuseg", "necrosis", "hnscc")
METRICS = ("dice", "iou", "accuracy", "precision", "recall", "pq")
HEADLINE = ("dice", "foreground")
READING = "## Reading"
MARKS = {
    "consep": [("haematoxylin Otsu, as published with the samples (whole CoNSeP training tiles)", 0.602)],
    "brecahad": [
        ("haematoxylin Otsu, as published with the samples", 0.454),
        ("U-Net of the original study, all 162 images, image-wise split", 0.5645),
    ],
    "monuseg": [("haematoxylin Otsu, as published with the samples (MoNuSeg's training tiles)", 0.721)],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True, help="Folder of the results.")
    parser.add_argument("--benchmarks", type=Path, required=True, help="Folder of Snakemake's benchmark files.")
    parser.add_argument("--table", type=Path, required=True, help="Markdown file to write.")
    arguments = parser.parse_args()
    parts = [introduction(arguments.benchmarks)]
    for dataset in DATASETS:
        parts += [section(arguments.results, arguments.benchmarks, dataset)]
    described = definitions(read_table(arguments.results / DATASETS[0] / "summary.csv"))
    parts += ["## Definitions", "", *(f"- {text}" for text in described), ""]
    write_text(arguments.table, "\n".join([*parts, reading(arguments.table)]))


def reading(table: Path) -> str:
    """What a person wrote under "Reading" in the table that stands there; it is kept."""
    text = table.read_text(encoding="utf-8") if table.is_file() else ""
    return text[text.index(READING) :] if READING in text else READING + "\n"


def introduction(benchmarks: Path) -> str:
    """What was run, on what machine, and how much processor time it took."""
    minutes = sum(float(read_tsv(path)["cpu_time"]) for path in benchmarks.rglob("*.tsv")) / 60
    return f"""# Real samples

Made by `make real-samples`, then `python benchmarks/real_samples.py` with the flags in its first lines. The study is
`config/studies/real_samples.yaml`: every fold trained and tested, each image scored by models that did not see it.
Machine: {os.cpu_count()} cores, {processor()}, no GPU, Python {platform.python_version()}.

Each score is the mean over images; the 95 % interval is a percentile bootstrap over groups. "Foreground" is all classes
but background merged. Baselines learn nothing: they are scored by the same code on the same images. All jobs together
took {minutes:.0f} minutes of processor time.
"""


def processor() -> str:
    """The processor's name as Linux gives it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")


def section(results: Path, benchmarks: Path, dataset: str) -> str:
    """Tables of one dataset: foreground scores, paired differences, seconds."""
    description = read_description(results / dataset / "prepared" / "dataset.json")
    summary = read_table(results / dataset / "summary.csv")
    comparison = read_table(results / dataset / "comparison.csv")
    headline = [row for row in summary if (row["metric"], row["class"]) == HEADLINE]
    if not headline:
        raise InputError(f"{results / dataset}: no rows of {HEADLINE}; expected a finished run; run make real-samples")
    facts = ", ".join(f"{key} {value}" for key, value in description.facts.items())
    return "\n".join(
        [
            f"## {dataset}",
            "",
            f"Reader {description.reader}; {facts}. {headline[0]['images']} images in {headline[0]['groups']} groups.",
            "",
            score_table(summary),
            "",
            *mark_table(dataset, headline),
            "Paired differences of Dice (foreground), first minus second:",
            "",
            *difference_table(comparison),
            "",
            "Seconds (wall, two jobs side by side on the machine's cores), mean over folds:",
            "",
            *seconds_table(benchmarks, dataset, [row["architecture"] for row in headline if row["kind"] == "model"]),
            "",
        ]
    )


def score_table(summary: list[dict[str, str]]) -> str:
    """One row a model, one column a metric, of the merged foreground."""
    wanted = {"accuracy": "all"}
    cells = {
        (row["architecture"], row["metric"]): row
        for row in summary
        if row["class"] == wanted.get(row["metric"], "foreground") and row["metric"] in METRICS
    }
    names = list(dict.fromkeys(name for name, _ in cells))
    header = "| model | " + " | ".join(METRICS) + " |\n|---|" + "---|" * len(METRICS)
    lines = [
        f"| {name} | " + " | ".join(cell(cells.get((name, metric))) for metric in METRICS) + " |" for name in names
    ]
    return "\n".join([header, *lines])


def cell(row: dict[str, str] | None) -> str:
    """A mean with its interval."""
    if row is None or not row["mean"]:
        return "undefined"
    interval = f" ({float(row['low']):.3f} to {float(row['high']):.3f})" if row["low"] else ""
    return f"{float(row['mean']):.3f}{interval}"


def definitions(summary: list[dict[str, str]]) -> list[str]:
    """The definition of each metric as the table of scores states it."""
    found = {row["metric"]: row["definition"] for row in summary if row["class"] in ("foreground", "all")}
    return [f"{metric}: {found[metric]}" for metric in METRICS if metric in found]


def mark_table(dataset: str, headline: list[dict[str, str]]) -> list[str]:
    """The best model's mean and interval beside figures that were not measured here."""
    if dataset not in MARKS:
        return []
    best = max((row for row in headline if row["kind"] == "model"), key=lambda row: float(row["mean"]))
    lines = ["Marks from elsewhere, against the best model's Dice (foreground):", ""]
    lines += ["| mark | its Dice | best model | above it |", "|---|---|---|---|"]
    for name, mark in MARKS[dataset]:
        above = "whole interval" if float(best["low"]) > mark else "mean" if float(best["mean"]) > mark else "no"
        lines.append(f"| {name} | {mark} | {best['architecture']} {cell(best)} | {above} |")
    return [*lines, ""]


def difference_table(comparison: list[dict[str, str]]) -> list[str]:
    """Rows of the paired comparison on the headline."""
    rows = [row for row in comparison if (row["metric"], row["class"]) == HEADLINE]
    return [
        "| first | second | difference | images | groups |",
        "|---|---|---|---|---|",
        *(
            f"| {row['first']} | {row['second']} | {cell({**row, 'mean': row['difference']})} | {row['images']} | "
            f"{row['groups']} |"
            for row in rows
        ),
    ]


def seconds_table(benchmarks: Path, dataset: str, architectures: list[str]) -> list[str]:
    """Seconds of training and prediction of each architecture."""
    lines = ["| model | train | predict | peak memory of training, MiB |", "|---|---|---|---|"]
    for architecture in architectures:
        train = [read_tsv(path) for path in sorted((benchmarks / "train" / dataset / architecture).glob("*.tsv"))]
        predict = [read_tsv(path) for path in sorted((benchmarks / "predict" / dataset / architecture).glob("*.tsv"))]
        memory = max(float(row["max_pss"]) for row in train)
        lines.append(f"| {architecture} | {mean_seconds(train):.0f} | {mean_seconds(predict):.0f} | {memory:.0f} |")
    return lines


def mean_seconds(rows: list[dict[str, str]]) -> float:
    """Mean of column s."""
    return sum(float(row["s"]) for row in rows) / len(rows)


def read_tsv(path: Path) -> dict[str, str]:
    """The one row of a benchmark file."""
    header, values = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[:2])
    return dict(zip(header, values, strict=True))


if __name__ == "__main__":
    run(main)
