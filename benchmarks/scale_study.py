"""A study of any size that can be planned but not run: raw folders of one file each, slides of a few bytes."""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = ("Snakefile", "config", "workflow", "scripts", "envs", "profiles")
RULE_FILES = Path("workflow", "rules")
# What a rule has beside its files: without these a plan has the same jobs and files, and no params of ours.
BESIDE_FILES = ("params", "log", "benchmark", "conda", "resources", "threads", "shell")
SECTION = re.compile(r"    (\w+):")


@dataclass(frozen=True)
class Size:
    """How large a study is."""

    datasets: int
    architectures: int
    folds: int
    slides: int

    @property
    def trainings(self) -> int:
        """One for each dataset, architecture and fold."""
        return self.datasets * self.architectures * self.folds

    def __str__(self) -> str:
        return f"{self.datasets} x {self.architectures} x {self.folds} + {self.slides}"


def lay_study(folder: Path, size: Size) -> Path:
    """Lay a copy of the workflow and a study of that size into `folder`, and give the study's config."""
    copy_workflow(folder)
    datasets = {f"data_{number}": _dataset(folder, f"data_{number}", size) for number in range(size.datasets)}
    networks = {f"net_{number}": _network(8 + number) for number in range(size.architectures)}
    chosen = {"name": "scale", "datasets": list(datasets), "architectures": list(networks)}
    study = {"study": chosen, "datasets": datasets, "architectures": networks, "slides": _slides(folder, size)}
    config = folder / "study.yaml"
    config.write_text(json.dumps(study, indent=1), encoding="utf-8")
    return config


def copy_workflow(folder: Path) -> None:
    """Copy what a clone holds and Snakemake reads, links as links."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir() and not source.is_symlink():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / part, symlinks=True, ignore=ignored)
        else:
            shutil.copy2(source, folder / part, follow_symlinks=False)


def strip_rules(folder: Path) -> None:
    """Leave of every rule its input, output and constraints: the same jobs and files, for Snakemake alone to plan."""
    for path in (folder / RULE_FILES).glob("*.smk"):
        path.write_text("".join(_without_params(path.read_text(encoding="utf-8"))), encoding="utf-8")


def _without_params(text: str) -> list[str]:
    kept, is_dropped = [], False
    for line in text.splitlines(keepends=True):
        section = SECTION.match(line)
        if section or not line.startswith(" "):
            is_dropped = bool(section) and section[1] in BESIDE_FILES
            # A job without a command is none; so each has the shortest.
            kept += ['    shell: "true"\n'] if is_dropped and section[1] == "shell" else []
        kept += [] if is_dropped else [line]
    return kept


def _dataset(folder: Path, name: str, size: Size) -> dict:
    raw = folder / "data" / name
    raw.mkdir(parents=True)
    (raw / "image.txt").write_text(name, encoding="utf-8")
    split = {"scheme": "proportions", "repeats": size.folds}
    return {"reader": "brecahad", "root": f"data/{name}", "split": split}


def _network(width: int) -> dict:
    return {"network": "unet", "options": {"width": width}}


def _slides(folder: Path, size: Size) -> dict:
    """Section slides: a table in which each model of the study has the same number of slides, as far as they go."""
    if not size.slides:
        return {}
    (folder / "data" / "slides").mkdir(parents=True)
    rows = ["path,model"]
    for number in range(size.slides):
        slide = Path("data", "slides", f"slide_{number:04}.svs")
        (folder / slide).write_text(str(number), encoding="utf-8")
        rows.append(f"{slide},data_{number % size.datasets}/net_{number // size.datasets % size.architectures}")
    (folder / "slides.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return {"files": ["slides.csv"]}
