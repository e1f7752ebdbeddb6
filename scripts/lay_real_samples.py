"""Lay out the CoNSeP patches of the real samples in PanNuke's layout, once."""

import argparse
import subprocess
import sys
from pathlib import Path

import yaml

from histoloom.errors import InputError, run
from histoloom.files import atomic_folder

NEEDED = ("brecahad", "consep_patches", "make_pannuke_folds.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, required=True, help="The study's YAML file, which sets study.samples.")
    arguments = parser.parse_args()
    study = yaml.safe_load(arguments.study.read_text(encoding="utf-8"))
    samples, target = Path(study["study"]["samples"]), Path(study["datasets"]["consep"]["root"])
    missing = [name for name in NEEDED if not (samples / name).exists()]
    if missing:
        raise InputError(
            f"{arguments.study}: study.samples is '{samples}', where {', '.join(missing)} cannot be found;\n"
            "expected the samples (brecahad/images, brecahad/groundTruth, consep_patches, make_pannuke_folds.py);\n"
            "set study.samples to their folder. For data of your own in the layout of PanNuke or BreCaHAD copy this\n"
            "study, set reader and root of its datasets, and run: snakemake --configfile config/studies/yours.yaml"
        )
    if target.is_dir():
        return
    with atomic_folder(target) as part:
        subprocess.run([sys.executable, samples / "make_pannuke_folds.py", part], check=True)


if __name__ == "__main__":
    run(main)
