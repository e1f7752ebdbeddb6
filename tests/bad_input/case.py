"""One case of bad input: the files that are laid, the command that a user runs on them, and what it says and leaves."""

import io
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from histoloom.study.checks.complaint import complaint

ROOT = Path(__file__).parents[2]
BASE = ROOT / "config" / "config.yaml"
CONFIG_CHECK = ("snakemake", "-n", "--configfile")  # the part of it that the Snakefile runs first
PROGRESS = re.compile(r"^.*: \d+ of \d+ (images|MB), \d+ s\n", re.MULTILINE)
LIBRARY = re.compile(r"\((?:libdeflate|TIFFRGBA)[^)]*\)")  # whose words are others in the next version
# What a rule gives each script beside what a case is about; the documents of messages leave it out.
OUTPUTS = {
    "prepare_dataset.py": {
        "name": "lab",
        "images": "out/images",
        "masks": "out/masks",
        "instances": "out/instances",
        "second-instances": "out/second_instances",
        "index": "out/index.csv",
        "skipped": "out/skipped.csv",
        "dataset": "out/dataset.json",
    },
    "find_duplicates.py": {"index": "out/index.csv", "duplicates": "inspection/duplicates.csv"},
    "inspect_dataset.py": {
        "index": "out/index.csv",
        "dataset": "out/dataset.json",
        "skipped": "out/skipped.csv",
        "duplicates": "inspection/duplicates.csv",
        "examples": "1",
        "findings": "inspection/findings.csv",
        "classes": "inspection/classes.csv",
        "measures": "inspection/images.csv",
        "nuclei": "inspection/nuclei.csv",
        "sheet": "inspection/sheet.png",
        "sizes": "inspection/sizes.png",
        "stains": "inspection/stains.png",
    },
    "split_dataset.py": {
        "index": "out/index.csv",
        "measures": "inspection/images.csv",
        "duplicates": "inspection/duplicates.csv",
        "dataset": "out/dataset.json",
        "validation": "groups",
        "validation-fraction": "0.2",
        "seed": "0",
        "folds": "folds.csv",
        "fold-findings": "inspection/fold_findings.csv",
    },
    "check_headline.py": {
        "dataset": "out/dataset.json",
        "classes": "inspection/classes.csv",
        "headline": "inspection/headline.json",
    },
    "find_tissue.py": {
        "name": "slide",
        "tissue-mpp": "8",
        "closing-um": "0",
        "hole-um2": "1e5",
        "piece-um2": "1e4",
        "margin-um": "0",
        "tissue": "tissue.png",
        "slide-json": "slide.json",
    },
    "predict_slide.py": {
        "slide-json": "slide.json",
        "tissue": "tissue.png",
        "model": "model.safetensors",
        "choose": "best",
        "outside": "0",
        "overlap": "4",
        "window": "hann",
        "batch-size": "8",
        "precision": "float32",
        "code": "code",
        "state": "state",
        "probabilities": "prediction/probabilities",
        "maps": "prediction/maps",
    },
    "fetch_dataset.py": {"dataset": "lab", "root": "raw", "digests": "digests.json", "receipt": "source.json"},
    "score.py": {"out": "scores", "bootstrap": "20"},
}


@dataclass(frozen=True)
class Case:
    """A row of the table: `lay` makes the files in the working folder, `words` are the command from the script on.

    `status` is its exit status; `writes` are all files and folders that it may leave behind, none where it refuses.
    `shows` tells what became of input that is not refused, in words for the document. `as_process` runs the command a
    second time as users do, in a process of its own. `before` are commands that end well and come first, or functions
    in their place; `limits` those of the config's section, as the environment states them.
    """

    row: str
    name: str
    lay: Callable[[], object]
    words: tuple[str, ...]
    status: int = 1
    writes: tuple[str, ...] = ()
    shows: Callable[[], str] | None = None
    as_process: bool = False
    before: tuple[tuple[str, ...] | Callable[[], object], ...] = ()
    limits: str = ""

    @property
    def command(self) -> list[str]:
        """The whole command line, with the script's path."""
        return command_line(self.words)


def command_line(words: tuple[str, ...]) -> list[str]:
    """The words of a command with all that a rule adds, and the script's path."""
    if words[0] == CONFIG_CHECK[0]:
        return list(words)
    given = [f"--{flag}" for flag in OUTPUTS.get(words[0], {})]
    added = [word for flag, value in OUTPUTS.get(words[0], {}).items() for word in (f"--{flag}", value)]
    assert not set(given) & set(words), words
    return [str(ROOT / "scripts" / words[0]), *words[1:], *added]


def told(words: list[str]) -> tuple[int, str]:
    """Exit status and all that a command prints, run in this process; a traceback of ours goes on to the test."""
    printed = io.StringIO()
    status: object = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(printed), redirect_stdout(printed):
        patch.setattr(sys, "argv", words)
        try:
            check_config(words) if words[0] == CONFIG_CHECK[0] else runpy.run_path(words[0], run_name="__main__")
        except SystemExit as end:
            status = end.code
    if isinstance(status, str):  # which Python prints, and makes status 1
        return 1, cleaned(f"{printed.getvalue()}{status}\n")
    return status or 0, cleaned(printed.getvalue())


def told_as_process(words: list[str]) -> tuple[int, str]:
    """The same of a process of its own; of Snakemake, which prints more, the part from the check's first line on."""
    is_check = words[0] == CONFIG_CHECK[0]
    start = [sys.executable]
    if is_check:
        Path("config").symlink_to(ROOT / "config")
        start += ["-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    done = subprocess.run([*start, *words[is_check:]], capture_output=True, text=True, timeout=120)
    text = done.stdout + done.stderr
    return done.returncode, cleaned(text[text.index("error: ") :] if is_check else text)


def check_config(words: list[str]) -> None:
    """What the Snakefile does before all else, with the files and values of a command line."""
    place = words.index("--config") if "--config" in words else len(words)
    overrides = dict(word.split("=", 1) for word in words[place + 1 :])
    files = words[len(CONFIG_CHECK) : place]
    if found := complaint([BASE, *files], {key: yaml.safe_load(value) for key, value in overrides.items()}):
        sys.exit(found)


def cleaned(text: str) -> str:
    """A text without what differs from run to run: the folder, how long things took, a library's own words."""
    text = LIBRARY.sub("(<the library's words>)", text)
    return PROGRESS.sub("", text.replace(f"{Path.cwd()}/", "<folder>/").replace(f"{ROOT}/", "<histoloom>/"))


def files_left() -> set[str]:
    """All files in the working folder, hidden or not."""
    return {path.relative_to(Path.cwd()).as_posix() for path in Path.cwd().rglob("*") if not path.is_dir()}
