"""Lay out the samples of CryoNuSeg with a second annotation made by rule, since theirs are copies of the first."""

import argparse
import shutil
from pathlib import Path

import numpy as np
import yaml
from jaxtyping import Int32

from histoloom.errors import InputError, run
from histoloom.files import atomic_folder
from histoloom.formats.images import read_instances, write_instances

IMAGES, LABELS = "tissue images", "label masks modify"
FIRST, SECOND = "Annotator 1 (biologist)", "Annotator 2 (bioinformatician)"
EVERY = 10  # nucleus that the second one does not see


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--study", type=Path, required=True, help="YAML file with study.samples and cryonuseg_small.")
    arguments = parser.parse_args()
    study = yaml.safe_load(arguments.study.read_text(encoding="utf-8"))
    try:
        samples = Path(study["study"]["samples"]) / "cryonuseg"
        root = Path(study["datasets"]["cryonuseg_small"]["root"])
    except (KeyError, TypeError) as error:
        raise InputError(
            f"{arguments.study}: lacks {error}; expected study.samples and datasets.cryonuseg_small.root; "
            "give config/studies/small/cryonuseg.yaml, or a file like it"
        ) from error
    if not (samples / IMAGES).is_dir():
        raise InputError(f"{arguments.study}: no folder {samples / IMAGES}; expected the samples; set study.samples")
    with atomic_folder(root) as folder:
        shutil.copytree(samples / IMAGES, folder / IMAGES)
        for annotator in (FIRST, SECOND):
            (folder / annotator / LABELS).mkdir(parents=True)
        for path in sorted((samples / FIRST / LABELS).iterdir()):
            ids = read_instances(path)
            write_instances(folder / FIRST / LABELS / f"{path.stem}.png", ids)
            write_instances(folder / SECOND / LABELS / f"{path.stem}.png", second_annotation(ids))


def second_annotation(ids: Int32[np.ndarray, "height width"]) -> Int32[np.ndarray, "height width"]:
    """The same nuclei a pixel further down and right, without those whose id is a multiple of ten."""
    moved = np.zeros_like(ids)
    moved[1:, 1:] = ids[:-1, :-1]
    return np.where(moved % EVERY == 0, 0, moved)


if __name__ == "__main__":
    run(main)
