"""Every command that a document shows ends as promised: it is run here, as it stands there, or a table says where.

A new command is run without being named here. Those of the tables in treatment.py are changed or left to others.
"""

import itertools
import re
import shlex
import shutil
import time

import pytest

from tests.scripts_run import outcome
from tests.site.checkout import Checkout
from tests.site.commands import REPOSITORY
from tests.site.laid_export import lay_export
from tests.site.laid_scoring import lay_scored
from tests.site.laid_studies import lay_demo, lay_first, lay_glands, lay_older_run, lay_studies
from tests.site.treatment import (
    CHANGED,
    ELSEWHERE,
    ENDS_WITH,
    PLANNED,
    SETTING_UP,
    all_shown,
    is_short,
    run_as,
    same,
    to_run,
)

SECONDS = 900  # after which a command hangs, on a machine that has much else to do
EVERY = all_shown()
LINES = {line for shown in EVERY for line in shown.lines}
RUN = to_run(EVERY)
# Before the first command of a document, or of those in a folder.
LAID = {
    "docs/own_data.md": lay_glands,
    "README.md": lay_older_run,
    "docs/export.md": lay_export,
    "docs/scoring.md": lay_demo,
    "docs/studies/": lay_studies,
}
# Two digits of each score that the worked example of docs/scoring.md prints.
PRINTED = re.findall(
    r"^ {4}(\w\S*) +(foreground) +(0\.\d\d)\d\d \[", (REPOSITORY / "docs" / "scoring.md").read_text(), re.M
)
# What a command has to say. Files that it is to write are known by their flags.
SAID = {
    "make help": r"^demo +run the whole workflow",
    "make real-samples": r"where brecahad, consep_patches, make_pannuke_folds.py cannot be found",
    "make test-studies": r"^skipped pannuke: no folder",
    "make soak": r"round",
    "make compare": r"^config\n  train.learning_rate: 0.5 -> 0.001$",
    "make why": r"jobs would run\.\n\nBecause\n  never run$",
    ".venv/bin/python -m pytest tests/split": r"tests/split/test_\w+\.py",
    "audit/bin/pip-audit": r"^\d\d+ packages$",
    "grep -A2": r"^ERROR: Error running script: two.svs\nit cannot be read",
    "snakemake -n": r"^(all|fetch) +1$",
    "python -m monai.bundle verify": r"data shape of network is verified with no error",
    "python scripts/score.py": r"^score +class",
    'python scripts/score.py --truth "data/demo': "\n".join(rf"{' +'.join(map(re.escape, one))}.*" for one in PRINTED),
}
WRITES = ("--report", "--out", "--results", "--output_dir")
IN_PROCESS = "python scripts/"  # a script of ours is run without starting Python anew
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    above = tmp_path_factory.mktemp("documented")
    made = Checkout(above)
    lay_first(made.folder)
    yield made
    shutil.rmtree(above)


@pytest.fixture(scope="module")
def to_lay():
    """What is still to be laid out, by document."""
    return dict(LAID)


def filled(line, checkout):
    return run_as(line).replace("{folder}", str(checkout.folder)).replace("{origin}", str(checkout.origin))


def run(lines, checkout, capfd):
    """Run lines as a reader does; status and what was printed."""
    if not all(line.startswith(IN_PROCESS) for line in lines):
        ended = checkout.run(lines, SECONDS)
        return ended.returncode, ended.stdout
    words = [outcome(shlex.split(line)[1:]) for line in lines]
    return int(set(words) != {"done"}), "".join(capfd.readouterr()) + "\n".join(words)


def lacking(lines, folder, start):
    """Files and folders that the lines say they write, but for those written since `start`, and results not there."""
    words = [word for line in lines for word in shlex.split(line)]
    old = [value for flag, value in itertools.pairwise(words) if flag in WRITES and latest(folder / value) < start]
    return old + [word for word in words if word.startswith("results/") and not (folder / word).exists()]


@pytest.mark.parametrize("shown", RUN, ids=lambda shown: f"{shown.document}: {shown.lines[0]}")
def test_what_a_document_shows_can_be_run(shown, checkout, to_lay, capfd, monkeypatch):
    monkeypatch.chdir(checkout.folder)
    for name in [name for name in to_lay if shown.document.startswith(name)]:
        to_lay.pop(name)(checkout.folder)
    lines = [filled(line, checkout) for line in shown.lines]
    if lines[0].startswith("python scripts/score.py"):
        lay_scored(checkout.folder, lines[0])
    start = time.time()
    status, said = run(lines, checkout, capfd)
    assert status == ENDS_WITH.get(lines[0], 0), said[-4000:]
    assert lacking(lines, checkout.folder, start) == []
    expected = [pattern for words, pattern in SAID.items() if any(line.startswith(words) for line in lines)]
    assert [pattern for pattern in expected if not re.search(pattern, said, re.MULTILINE)] == [], said[-4000:]


def latest(path):
    """When a file, or the last one below a folder, was written; 0 where there is none."""
    files = [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    return max((one.stat().st_mtime for one in files), default=0)


@pytest.mark.parametrize("line", ELSEWHERE)
def test_what_runs_a_line_elsewhere_holds_its_words(line):
    file, words, why = ELSEWHERE[line]
    assert words in (REPOSITORY / file).read_text(encoding="utf-8")
    assert why


def test_the_tables_name_nothing_that_no_document_shows():
    assert [line for line in ELSEWHERE if line not in LINES] == []
    assert [old for old in CHANGED if not any(old in line for line in LINES)] == []
    changed = [run_as(line) for line in LINES]
    assert [start for start in PLANNED if not any(line.startswith(start) for line in LINES)] == []
    assert [line for line in ENDS_WITH if line not in changed] == []
    ran = [run_as(line) for shown in RUN for line in shown.lines]
    assert [words for words in SAID if not any(line.startswith(words) for line in ran)] == []
    assert [name for name in LAID if not any(shown.document.startswith(name) for shown in RUN)] == []


def test_every_line_is_run_or_in_the_table_or_short_for_another():
    known = {same(line) for shown in RUN for line in shown.lines} | {same(line) for line in ELSEWHERE}
    assert len(known) > 60
    for shown in EVERY:
        for line in shown.lines:
            assert same(line) in known or is_short(line, shown, LINES) or line.startswith(SETTING_UP), line
