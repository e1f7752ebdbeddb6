"""Lay out the CoNSeP patches of the real samples in PanNuke's layout, with the tile of each patch as its group."""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import yaml

from histoloom.errors import InputError, run
from histoloom.files import atomic_folder

NEEDED = ("brecahad", "consep_patches", "make_pannuke_folds.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, required=True, help="The study's YAML file, which sets study.samples.")
    arguments = parser.parse_args()
    study = yaml.safe_load(arguments.study.read_text(encoding="utf-8"))
    samples = Path(study["study"].get("samples", "study.samples is not set"))
    missing = [name for name in NEEDED if not (samples / name).exists()]
    if missing:
        raise InputError(
            f"{arguments.study}: study.samples is '{samples}', where {', '.join(missing)} cannot be found;\n"
            "expected the samples (brecahad/images, brecahad/groundTruth, consep_patches, make_pannuke_folds.py);\n"
            "set study.samples to their folder. For data of your own in the layout of PanNuke or BreCaHAD copy this\n"
            "study, set reader and root of its datasets, and run: snakemake --configfile config/studies/yours.yaml"
        )
    with atomic_folder(Path(study["datasets"]["consep"]["root"])) as folder:
        command = [sys.executable, samples / "make_pannuke_folds.py", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise InputError(f"{command[1]}: {reason}; expected PanNuke's arrays in {folder}; mend the samples")
        for fold in (1, 2, 3):
            write_groups(folder / f"Fold {fold}" / "images" / f"fold{fold}", samples / "consep_patches" / "images")


def write_groups(arrays: Path, patches: Path) -> None:
    """Write groups.npy: patches of one tile (fold1_tile04_07 is of fold1_tile04) are neighbours, not independent."""
    names = sorted(path.stem for path in patches.glob(f"{arrays.name}_*"))  # as make_pannuke_folds.py orders them
    np.save(arrays / "groups.npy", np.array([name.rsplit("_", 1)[0] for name in names]))


if __name__ == "__main__":
    run(main)
