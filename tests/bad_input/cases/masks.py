"""Rows B4, B5 and B6: masks that do not fit, files without a partner, and data with nothing to learn."""

import csv
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from histoloom.files import write_table
from histoloom.prepare.inspection.measure_tables import CLASS_COLUMNS, class_table, measure_columns, measure_table
from histoloom.prepare.inspection.measuring import measure
from histoloom.prepared import read_description, read_index
from tests.bad_input.case import Case
from tests.bad_input.cases.images import OPTIONS, READ, SCORE
from tests.bad_input.made_files import HEIGHT, WIDTH, mask, pair, save, tissue

FOLDER = (*READ, *OPTIONS)
FIND, INSPECT = ("find_duplicates.py",), ("inspect_dataset.py",)
MEASURES = Path("inspection/images.csv")
INSPECTED = ("inspection",)


def with_mask(codes: np.ndarray, name: str = "b.png", **options: object) -> None:
    pair("a")
    save("raw/images/b.png", tissue(1))
    save(f"raw/masks/{name}", codes, **options)


def coloured() -> np.ndarray:
    table = np.zeros((256, 3), np.uint8)
    table[100], table[255] = (0, 128, 0), (255, 0, 0)
    return table[mask()]


def with_odd_values() -> np.ndarray:
    codes = mask()
    codes[-1, :5] = [7, 7, 7, 8, 8]
    return codes


def copy_of_a_jpeg() -> None:
    """A PNG made of a JPEG: its borders ring."""
    rows, columns = np.indices((96, 96))
    disc = (np.hypot(rows - 40, columns - 40) < 30).astype(np.uint8) * 255
    save("copy.jpg", disc, quality=75)
    pixels = np.asarray(Image.open("copy.jpg"))
    Path("copy.jpg").unlink()
    pair("a")
    save("raw/images/b.png", tissue(1, 96, 96))
    save("raw/masks/b.png", (pixels // 4 * 4 + (pixels > 250) * 3).astype(np.uint8))


def nucleus_map_of_another_size() -> None:
    pair("a")
    save("raw/ids/a.png", np.zeros((WIDTH, HEIGHT), np.uint16))


def prediction_of_another_size() -> None:
    save("truth/a.png", (mask() > 0).astype(np.uint8))
    save("found/a.png", (mask() > 0).astype(np.uint8)[::2, ::2])


UNFIT = [
    Case(
        "B4",
        "an option that is given twice",
        partial(with_mask, mask()),
        (*READ, "--option", "classes=background=0", "classes=necrosis=255"),
    ),
    Case("B4", "a mask one pixel narrower than its image", partial(with_mask, mask()[:, :-1]), FOLDER),
    Case("B4", "a transposed mask", partial(with_mask, mask().T.copy()), FOLDER),
    Case("B4", "a coloured mask where greys are coded", partial(with_mask, coloured()), FOLDER),
    Case("B4", "a JPEG as mask", partial(with_mask, mask(), "b.jpg", quality=90), FOLDER),
    Case("B4", "a mask with values that no class has", partial(with_mask, with_odd_values()), FOLDER),
    Case(
        "B4",
        "255 that no class has",
        partial(with_mask, mask()),
        (*READ, "--option", 'classes=["background=0", "stroma=100"]'),
    ),
    Case("B4", "a nucleus map of another size", nucleus_map_of_another_size, (*FOLDER, "nuclei=ids")),
    Case("B4", "a prediction of another size", prediction_of_another_size, SCORE),
]


def unpaired(*names: str) -> None:
    for name in names:
        save(f"raw/{name}", tissue() if name.startswith("images") else mask())


def missing_prediction() -> None:
    for name in ("truth/a.png", "truth/b.png", "found/a.png"):
        save(name, (mask() > 0).astype(np.uint8))


UNPAIRED = [
    Case("B5", "an image without a mask", partial(unpaired, "images/a.png", "images/b.png", "masks/a.png"), FOLDER),
    Case("B5", "a mask without an image", partial(unpaired, "images/a.png", "masks/a.png", "masks/b.png"), FOLDER),
    Case("B5", "two images of one name", partial(unpaired, "images/a.png", "images/a.jpg", "masks/a.png"), FOLDER),
    Case(
        "B5",
        "two images whose names differ only in case",
        partial(unpaired, "images/A.png", "images/a.png", "masks/a.png"),
        FOLDER,
    ),
    Case("B5", "masks in a folder of another name", partial(unpaired, "images/a.png", "labels/a.png"), FOLDER),
    Case("B5", "an image without a prediction", missing_prediction, SCORE),
]


def three(codes: np.ndarray, picture: np.ndarray | None = None) -> None:
    for seed, name in enumerate("abc"):
        pair(name, seed, codes, picture)


def without_stroma() -> np.ndarray:
    return np.where(mask() == 100, 0, mask()).astype(np.uint8)


def inspected(name: str, lay: object) -> Case:
    return Case("B6", name, lay, INSPECT, 0, INSPECTED, before=(FOLDER, FIND))


def stroma_in_one_case_alone() -> None:
    for seed, name in enumerate(("a", "b", "c", "d")):
        pair(name, seed, mask() if name == "a" else without_stroma())


def measured() -> None:
    """What the inspection counts in each image, without its figures."""
    classes = read_description(Path("out/dataset.json")).classes
    images = [measure(row) for row in read_index(Path("out/index.csv"))]
    write_table(MEASURES, measure_columns(len(classes)), measure_table(images, len(classes)))
    write_table(MEASURES.with_name("classes.csv"), CLASS_COLUMNS, class_table(images, classes))


def found_in_folds() -> str:
    with Path("inspection/fold_findings.csv").open(newline="", encoding="utf-8") as file:
        return "\n".join(f"{row['severity']}: {row['message']}" for row in csv.DictReader(file))


NOTHING_TO_LEARN = [
    inspected("a class that no image has", partial(three, without_stroma())),
    inspected("masks of nothing but background", partial(three, np.zeros_like(mask()))),
    inspected("images without tissue", partial(three, mask(), np.full((HEIGHT, WIDTH, 3), 245, np.uint8))),
    Case(
        "B6",
        "a class that only one case has",
        stroma_in_one_case_alone,
        ("split_dataset.py", "--scheme", "grouped", "--fold-count", "4"),
        0,
        ("folds.csv", "inspection/fold_findings.csv"),
        found_in_folds,
        before=(FOLDER, FIND, measured),
    ),
]
CASES = [*UNFIT, *UNPAIRED, *NOTHING_TO_LEARN]
