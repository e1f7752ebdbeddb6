"""Say what a run would do and why, in the words of the config: what changed, and what follows from it. Runs nothing."""

import argparse
from pathlib import Path

from histoloom.errors import InputError, run
from histoloom.study.merging import read_config
from histoloom.study.planned import planned_jobs
from histoloom.study.reasons import explain
from histoloom.study.reasons_text import told

DEFAULT = Path("config", "config.yaml")


def main() -> None:
    arguments = parse()
    for path in (arguments.snakefile, *arguments.configfile):
        if not path.is_file():
            raise InputError(f"{path}: no such file; expected a path from this folder; start where you start snakemake")
    jobs = planned_jobs(arguments.snakefile, arguments.configfile, arguments.target)
    config = read_config([DEFAULT, *arguments.configfile], {})
    print(*told(explain(jobs, config)), sep="\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--configfile", type=Path, nargs="*", default=[], help="studies, as snakemake is given them")
    parser.add_argument("--target", nargs="*", default=[], help="files or rules; without any the whole study")
    parser.add_argument(
        "--snakefile", type=Path, default=Path("Snakefile"), help="the workflow; Snakefile unless given"
    )
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
