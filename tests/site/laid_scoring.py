"""What docs/scoring.md scores, as each program writes it: two images of nuclei, true and predicted."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from tests.evaluate.scoring import scoring_case as case
from tests.evaluate.scoring.scoring_case import FOUND, TRUTH, Nuclei
from tests.scripts_run import outcome
from tests.site.commands import REPOSITORY

PAGE = REPOSITORY / "docs" / "scoring.md"
MADE = (
    *("masks", "masks.npy", "labels", "labelsTs", "classes", "classes.csv", "images", "out", "predictions", "exported"),
    *("a", "b", "patients.csv"),
)


def of_classes(nuclei: Nuclei, count: int) -> Nuclei:
    """The nuclei with no class but the first `count`."""
    return {name: [(1 + (one[0] - 1) % count, *one[1:]) for one in found] for name, found in nuclei.items()}


def write_labels(folder: Path, nuclei: Nuclei) -> None:
    """An image of ids for each, as StarDist writes them."""
    for name, _, ids in case.each(folder, nuclei):
        tifffile.imwrite(folder / f"{name}.tif", ids)


def lay_pair(folder: Path) -> None:
    """Any two sides that say themselves what they are."""
    write_labels(folder / "TRUTH", TRUTH)
    write_labels(folder / "PREDICTION", FOUND)


def lay_classic(folder: Path) -> None:
    """What the page's own program makes of the demo's patches; it is run here."""
    programs = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (program,) = [text for text in programs if "data/demo/classic" in text]
    (folder / "classic.py").write_text(program)
    assert outcome(["classic.py"]) == "done"


def lay_monai(folder: Path) -> None:
    case.masks_png(folder / "masks", of_classes(TRUTH, 2), "truth")
    for name, mask, _ in case.each(folder / "out", of_classes(FOUND, 2)):
        (folder / "out" / name).mkdir()
        Image.fromarray(mask).save(folder / "out" / name / f"{name}_seg.png")


def lay_nnunet(folder: Path) -> None:
    case.masks_png(folder / "labelsTs", of_classes(TRUTH, 2), "truth")
    case.masks_png(folder / "predictions", of_classes(FOUND, 2), "prediction")
    for name in ("dataset", "plans"):
        (folder / "predictions" / f"{name}.json").write_text("{}")


def lay_truth_array(folder: Path) -> None:
    path, _ = case.pannuke(folder / "truth", TRUTH, "truth")
    shutil.move(path, folder / "masks.npy")


def lay_stardist(folder: Path) -> None:
    lay_truth_array(folder)
    # As in any image of tissue there are more nuclei than classes, else 32 bits could hold either.
    found = FOUND | {"1": [*FOUND["1"], *((1, 0, column, 1, 1) for column in (0, 4, 8))]}
    _, flags = case.labels_table(folder / "labels", found, "prediction")
    shutil.move(flags[1], folder / "classes.csv")


def lay_cellpose(folder: Path) -> None:
    write_labels(folder / "labels", TRUTH)
    for name, _, ids in case.each(folder / "images", FOUND):
        Image.fromarray(ids.astype(np.uint16)).save(folder / "images" / f"{name}_cp_masks.png")
        Image.new("RGB", ids.shape[::-1]).save(folder / "images" / f"{name}.png")
        (folder / "images" / f"{name}_seg.npy").write_bytes(b"pickled objects")


def lay_hovernet(folder: Path) -> None:
    lay_truth_array(folder)
    case.hovernet_types(folder / "out" / "mat", FOUND, "prediction")


def lay_qupath(folder: Path) -> None:
    """Detections of two classes; within what is called Region* nothing was looked for."""
    _, flags = case.labels_masks(folder / "masks", of_classes(TRUTH, 2), "truth")
    shutil.move(flags[1], folder / "classes")
    names = {1: "Tumor", 2: "Immune cells"}
    (folder / "exported").mkdir()
    for name, found in of_classes(FOUND, 2).items():
        features = [case.feature(one, "detection", names[one[0]]) for one in found]
        features.append(case.feature((0, 0, 0, 1, 4), "annotation", "Region*"))
        (folder / "exported" / f"{name}.geojson").write_text(json.dumps(features))


def lay_several(folder: Path) -> None:
    for place, nuclei in (("labels", TRUTH), ("a", FOUND), ("b", TRUTH)):
        write_labels(folder / place, nuclei)
    case.write_table(folder / "patients.csv", ("name", "group"), [(name, f"patient {name}") for name in TRUTH])


LAID = {
    "NAME=PREDICTION": lay_pair,
    "classic=": lay_classic,
    "unet=out": lay_monai,
    "nnunet=": lay_nnunet,
    "stardist=labels": lay_stardist,
    "cellpose=images": lay_cellpose,
    "hovernet=": lay_hovernet,
    "qupath=": lay_qupath,
    "stardist=a": lay_several,
}


def lay_scored(folder: Path, line: str) -> None:
    """Lay out what a line scores, in place of what another one scored."""
    for name in MADE:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
    (lay,) = [lay for word, lay in LAID.items() if f" {word}" in line]
    lay(folder)
