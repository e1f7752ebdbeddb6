"""A small report, built by the real scripts from made results, for tests that open it."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from tests.report.report_values import HOSTILE

ROOT = Path(__file__).parents[2]
EPOCHS = 4
COMMON = {"metric": "dice", "class": "foreground", "low": 0.1, "high": 0.7, "images": 9, "groups": 9}
KINDS = {"unet": "model", "a_model_with_a_long_name": "model", "otsu": "baseline", "second_annotator": "human"}
DIVERGED = {"unet": "0 2"}
SNAKEFILE = """
report: "results/report/study/front.rst"
rule all:
    input:
        expand("results/{dataset}/figures/curves.png", dataset=["ds", "other"]),
        expand("results/{dataset}/figures/epochs_unet.html", dataset=["ds", "other"]),
        expand("results/{dataset}/figures/summary.html", dataset=["ds", "other"]),
        "results/report/study/slides.html",
rule curves:
    output:
        report("results/{dataset}/figures/curves.png", category="Training", subcategory="{dataset}",
               labels={"shown": "curves"}),
    shell: "cp picture.png {output}"
rule animations:
    output:
        report("results/{dataset}/figures/epochs_unet.html", category="Training", subcategory="{dataset}",
               labels={"shown": "epochs of unet"}),
    shell: "cp epochs.html {output}"
rule table:
    output:
        report("results/{dataset}/figures/summary.html", category="Tables", subcategory="{dataset}",
               labels={"shown": "summary"}),
    shell: "cp table.html {output}"
rule slides:
    output: report("results/report/study/slides.html", category="Slides", labels={"shown": "all slides"})
    shell: "cp table.html {output}"
"""


def build_report(folder: Path) -> Path:
    """Write results of two datasets and the report on them; everything in them that a user names is hostile."""
    for dataset in ("ds", "other"):
        write_results(folder, dataset)
    config = {
        "study": {"seed": 1},
        "datasets": {name: {"split": {"validation": "images"}} for name in ("ds", "other")},
        "raw_data": {"ds": "0a1b", "other": "2c"},
        "long": "x" * 300,
    }
    (folder / "config.yaml").write_text(json.dumps(config))
    histories = write_epochs(folder / "results" / "ds" / "unet" / "fold0")
    scripts = ROOT / "scripts"
    run(folder, scripts / "write_animations_page.py", "--animation", "results/ds/unet/fold0/epochs.webp", "--title",
        HOSTILE, "--html", "epochs.html")  # fmt: skip
    run(folder, scripts / "write_table_page.py", "--table", "results/ds/summary.csv", "--title", HOSTILE, "--html",
        "table.html")  # fmt: skip
    run(folder, scripts / "write_front_page.py", "--study", HOSTILE, *tables("summary"), *tables("comparison"),
        *tables("ranking"), *tables("costs"), "--history", histories,
        "--findings", *(f"results/{name}/inspection/findings.csv" for name in ("ds", "other")),
        "--examples", *(f"results/{name}/figures/examples_unet.png" for name in ("ds", "other")),
        "--datasets", *(f"results/{name}/prepared/dataset.json" for name in ("ds", "other")),
        "--metric", "dice", "--class", "foreground", "--config", "config.yaml",
        "--front", "results/report/study/front.rst")  # fmt: skip
    (folder / "Snakefile").write_text(SNAKEFILE)
    snakemake = ("-m", "snakemake", "--workflow-profile", "none", "--cores", "1")
    run(folder, *snakemake)
    stylesheet = ROOT / "workflow" / "report" / "report.css"
    run(folder, *snakemake, "--report", "report.html", "--report-stylesheet", stylesheet)
    return folder / "report.html"


def tables(name: str) -> list[str]:
    """A flag with that table of both datasets."""
    return [f"--{name}", *(f"results/{dataset}/{name}.csv" for dataset in ("ds", "other"))]


def write_results(folder: Path, dataset: str) -> None:
    """Two models, a baseline, an annotator and a published score, as the rules before the report leave them."""
    results = folder / "results" / dataset
    (results / "prepared").mkdir(parents=True)
    about = {"licence": "CC0", "citation": HOSTILE, "facts": {HOSTILE: HOSTILE}, "warnings": [HOSTILE], "skipped": 3}
    usual = {"name": dataset, "reader": "pannuke", "classes": ["background", HOSTILE, "b"], "has_instances": False}
    (results / "prepared" / "dataset.json").write_text(json.dumps(usual | about))
    common = COMMON | {"dataset": dataset}
    means = dict(zip(KINDS, (0.6, 0.5, 0.4, 0.55), strict=True))
    scores = [common | {"architecture": name, "kind": KINDS[name], "mean": means[name]} for name in KINDS]
    scores += [one | {"class": HOSTILE, "mean": 0.3} for one in scores] + [one | {"class": "b"} for one in scores]
    scores.append(scores[0] | {"architecture": HOSTILE, "kind": "published"})
    scores.append(scores[0] | {"metric": "iou", "mean": "", "low": "", "high": ""})
    rows = [
        one | {"definition": HOSTILE, "skipped": 3, "diverged": DIVERGED.get(one["architecture"])} for one in scores
    ]
    write_csv(results / "summary.csv", rows)
    pairs = {("unet", "otsu"): 0.01, ("unet", "a_model_with_a_long_name"): 0.2}
    rows = [common | {"first": a, "second": b, "difference": 0.2, "p": p, "p_holm": p} for (a, b), p in pairs.items()]
    write_csv(results / "comparison.csv", rows)
    order = {"kind": "model", "probability_best": 0.5, "mean_rank": 1.5, "critical_difference": 0.7}
    write_csv(results / "ranking.csv", [common | order | {"architecture": name} for name in list(KINDS)[:2]])
    cost = dict.fromkeys(("seconds_per_megapixel", "peak_memory_mib", "parameters", "training_seconds"), 1234.5)
    cost |= {"dataset": dataset, "architecture": "unet", "kind": "model", "seconds_per_mm2": ""}
    write_csv(results / "costs.csv", [cost])
    finding = {"severity": "warning", "kind": "empty", "subject": "x" * 80, "message": HOSTILE}
    write_csv(results / "inspection" / "findings.csv", [finding, finding | {"kind": "not_normalised"}])
    (results / "figures").mkdir()
    for path in (results / "figures" / "examples_unet.png", folder / "picture.png"):
        Image.fromarray(tissue()).save(path)


def write_epochs(fold: Path) -> Path:
    """An animation and the history of its epochs; the history's path, from the results on."""
    fold.mkdir(parents=True)
    frames = [Image.fromarray(np.roll(tissue(), place, axis=1)) for place in range(EPOCHS)]
    durations = [400] * (EPOCHS - 1) + [3000]
    for name in ("epochs.gif", "epochs.webp"):
        frames[0].save(fold / name, save_all=True, append_images=frames[1:], duration=durations)
    write_csv(fold / "history.csv", [{"epoch": n, "steps": 9, "skipped_steps": 1} for n in range(EPOCHS)])
    return fold.relative_to(fold.parents[3]) / "history.csv"


def tissue() -> np.ndarray:
    """Something pink."""
    return np.random.default_rng(0).normal((225, 160, 200), 12, (32, 64, 3)).clip(0, 255).astype(np.uint8)


def write_csv(path: Path, rows: list[dict]) -> None:
    """Rows under the header of the first one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def run(folder: Path, *command: object) -> None:
    """Run Python in a folder; a failure shows what it said."""
    done = subprocess.run([sys.executable, *map(str, command)], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
