"""How each line that a document shows is run: as it stands, with a change that is stated here, or by something else."""

import shlex
from typing import NamedTuple

from tests.site.commands import DOCUMENTS, Shown, shown_in

EXPORT = "results/my_nuclei/unet_32/export"
STUDY = "config/studies/mine.yaml"


class Elsewhere(NamedTuple):
    """A line that is not run here: a file, the words in it that run the line or what it hangs on, and why not here."""

    file: str
    words: str
    why: str


CI = "what has to pass before a change is taken"
APPTAINER = "tests/test_apptainer_definition.py"
ELSEWHERE = {
    "make demo": Elsewhere(".ci/run", "\nstep demo\n", CI),
    "make test": Elsewhere(".ci/run", "\nstep test\n", CI),
    "make lint": Elsewhere(".ci/run", "\nstep lint\n", CI),
    "make docs": Elsewhere(".ci/run", "\nstep docs\n", CI),
    "make demo-data": Elsewhere("Makefile", "\ndemo: demo-data ", "make demo begins with it"),
    "make report": Elsewhere("Makefile", "\n\t@$(MAKE) --no-print-directory report\n", "make demo ends with it"),
    "bash .ci/run": Elsewhere(".ci/run", "\nstep test\n", "it runs this very test"),
    'make test-cluster CLUSTER="--small --part study"': Elsewhere(
        ".ci/run", 'then CLUSTER="--small --part study" step test-cluster\n', CI
    ),
    "make lock": Elsewhere("tests/security/test_lock.py", '"lock.txt"', "needs uv and a network; its lock is tested"),
    "apptainer build envs/histoloom.sif envs/histoloom.def": Elsewhere(
        APPTAINER, r"apptainer build (\S+) envs/histoloom\.def", "needs Apptainer and a network; its file is tested"
    ),
    "apptainer run --nv envs/histoloom.sif --cores 8 --configfile config/studies/mine.yaml": Elsewhere(
        APPTAINER, 'sections["runscript"]', "needs that image; what it runs is tested"
    ),
}  # fmt: skip
# What a document leaves open, or what takes too long, by what stands there in the test.
CHANGED = {
    "git clone ... ": "git clone {origin} ",
    "--unlock --configfile ...": f"--unlock --configfile {STUDY}",
    '"--nv --bind /data" ...': f'"--nv --bind /data" --configfile {STUDY}',
    "sha256sum --check": f"cd {EXPORT}/weights && sha256sum --check",
    "MINUTES=10": "MINUTES=0",
    "=/data/": "={folder}/data/",
    " /data/": " {folder}/data/",
}
# Studies that need data which is not part of the repository, a cluster, or hours: lines that begin so are planned (-n).
# The small studies are run whole by `make test-studies`, jobs of Slurm by `make test-cluster`, and a study of one's own
# by the lines of docs/own_data.md, which nothing here changes.
PLANNED = (
    *(f"snakemake --configfile config/studies/{name}.yaml"
      for name in ("brecahad", "cryonuseg", "hnscc", "mine", "necrosis", "pannuke")),
    "snakemake fetch --configfile config/studies/pannuke.yaml",
    f"snakemake --profile slurm --configfile {STUDY}",
    "snakemake --profile slurm --software-deployment-method apptainer",
    "snakemake --keep-going",
)  # fmt: skip
ENDS_WITH = {"make real-samples": 2}  # make's, where the samples are not there; README.md says what it tells then
SETTING_UP = ("source ", "cd ")  # lines that only prepare the next ones


def all_shown() -> list[Shown]:
    """What all documents show; lines of the first one make results that others read, the last one removes them."""
    place = {"docs/own_data.md": -1, "results/README.md": 1}
    every = [shown for document in DOCUMENTS for shown in shown_in(document)]
    return sorted(every, key=lambda shown: place.get(shown.document, 0))


def to_run(every: list[Shown]) -> list[Shown]:
    """Those with lines that have to be run here, each line once; lines that prepare others stay beside them."""
    lines = {line for shown in every for line in shown.lines}
    done, kept = {same(line) for line in ELSEWHERE}, []
    for shown in every:
        fresh = []
        for line in shown.lines:
            if same(line) not in done and not is_short(line, shown, lines):
                fresh.append(line)
                done.update({same(line)} if not line.startswith(SETTING_UP) else ())
        if any(not line.startswith(SETTING_UP) for line in fresh):
            kept.append(shown._replace(lines=tuple(fresh)))
    return kept


def same(line: str) -> str:
    """What lines have in common that do the same: the order of Snakemake's words does not matter here."""
    done = run_as(line)
    return shlex.join(sorted(shlex.split(done))) if done.startswith("snakemake ") else done


def is_short(line: str, shown: Shown, lines: set[str]) -> bool:
    """Whether running text only names a command that another line shows with more words around the same ones."""
    return not shown.is_block and any(_is_within(shlex.split(line), shlex.split(one)) for one in lines - {line})


def _is_within(few: list[str], many: list[str]) -> bool:
    rest = iter(many)
    return len(few) < len(many) and few[:1] == many[:1] and all(word in rest for word in few)


def run_as(line: str) -> str:
    """The line with its changes; places in braces are filled in later. A planned one writes no report."""
    for old, new in CHANGED.items():
        line = line.replace(old, new)
    if not line.startswith(PLANNED):
        return line
    words, _, _ = line.removeprefix("snakemake ").partition(" --report ")
    return f"snakemake -n {words}"
