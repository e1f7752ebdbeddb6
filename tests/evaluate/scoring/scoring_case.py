"""Two images of nuclei, true and predicted, and their files as other programs write them."""

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image
from scipy.io import savemat

from tests.scripts_run import outcome

SCORE = Path(__file__).parents[3] / "scripts" / "score.py"
CLASSES = ("background", "neoplastic", "inflammatory", "connective", "dead", "epithelial")
SIZE = (24, 32)

# Of each image the nuclei: class, first row, first column, height, width. None lies on another one of its own side.
TRUTH = {
    "0": [(1, 1, 1, 6, 6), (2, 1, 10, 4, 4), (1, 10, 2, 8, 5), (5, 12, 20, 6, 8)],
    "1": [(2, 2, 2, 5, 5), (3, 10, 10, 6, 10), (4, 20, 25, 3, 3)],
}
# Image 0: one nucleus is right, one shifted, one of another class, one missed, one made up. Image 1: one is cut in two.
FOUND = {
    "0": [(1, 1, 1, 6, 6), (2, 2, 11, 4, 4), (2, 10, 2, 8, 5), (3, 2, 26, 4, 4)],
    "1": [(2, 2, 2, 5, 4), (3, 10, 10, 6, 4), (3, 10, 15, 6, 5), (4, 20, 25, 3, 3)],
}

Nuclei = dict[str, list[tuple[int, int, int, int, int]]]
# Writes nuclei into a folder and gives the path to score and the flags beyond it; the word is "truth" or "prediction".
Writer = Callable[[Path, Nuclei, str], tuple[Path, list[str]]]


def maps(
    nuclei: list[tuple[int, int, int, int, int]], first_id: int = 1, step: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Class indices and ids of nuclei drawn as rectangles."""
    mask, ids = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.int32)
    for number, (index, row, column, height, width) in enumerate(nuclei):
        place = slice(row, row + height), slice(column, column + width)
        mask[place], ids[place] = index, first_id + step * number
    return mask, ids


def each(folder: Path, nuclei: Nuclei, **numbering: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, class indices and ids of each image; the folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, found in nuclei.items():
        yield name, *maps(found, **numbering)


def write_table(path: Path, header: tuple[str, ...], rows: list[tuple]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def masks_png(folder: Path, nuclei: Nuclei, side: str) -> tuple[Path, list[str]]:
    for name, mask, _ in each(folder, nuclei):
        Image.fromarray(mask).save(folder / f"{name}.png")
    return folder, []


def masks_coded(folder: Path, nuclei: Nuclei, side: str) -> tuple[Path, list[str]]:
    """Greys 0, 40, 80, ... for the classes, as an array."""
    for name, mask, _ in each(folder, nuclei):
        np.save(folder / f"{name}.npy", mask * 40)
    return folder, ["--class-values", *(f"{name}={40 * index}" for index, name in enumerate(CLASSES))]


def labels_table(folder: Path, nuclei: Nuclei, side: str) -> tuple[Path, list[str]]:
    """As StarDist: 32-bit TIFF of ids from 1, and the class of each in a list of its own."""
    rows = []
    for name, _, ids in each(folder, nuclei):
        tifffile.imwrite(folder / f"{name}.tif", ids)
        rows += [(name, number, CLASSES[of[0]]) for number, of in enumerate(nuclei[name], start=1)]
    table = write_table(folder.with_suffix(".csv"), ("image", "id", "class"), rows)
    return folder, [f"--{side}-table", str(table), f"--{side}-format", "labels"]


def labels_masks(folder: Path, nuclei: Nuclei, side: str) -> tuple[Path, list[str]]:
    """16-bit PNG of ids with gaps up to 60,000, and a class mask beside each."""
    for name, _, ids in each(folder, nuclei, first_id=7, step=9000):
        Image.fromarray(ids.astype(np.uint16)).save(folder / f"{name}.png")
    masks, _ = masks_png(folder.with_name(f"{folder.name}_masks"), nuclei, side)
    return folder, [f"--{side}-masks", str(masks)]


def labels_npy(folder: Path, nuclei: Nuclei, side: str) -> tuple[Path, list[str]]:
    """int64 arrays under names with an ending, as a script of one's own leaves them; ids run backwards."""
    rows = []
    for name, _, ids in each(folder, nuclei, first_id=100, step=-1):
        np.save(folder / f"{name}_pred.npy", ids.astype(np.int64))
        rows += [(f"{name}.png", 100 - number, of[0]) for number, of in enumerate(nuclei[name])]
    table = write_table(folder.with_suffix(".csv"), ("name", "id", "class"), rows)
    return folder, [f"--{side}-table", str(table), f"--{side}-ending", "_pred"]


def pannuke(folder: Path, nuclei: Nuclei, side: str) -> tuple[Path, list[str]]:
    channels = np.zeros((len(nuclei), *SIZE, 6))
    for row, (_, mask, ids) in enumerate(each(folder, nuclei)):
        for channel in range(5):
            channels[row, ..., channel] = np.where(mask == channel + 1, ids, 0)
        channels[row, ..., 5] = mask == 0
    np.save(folder / "masks.npy", channels)
    return folder / "masks.npy", []


def hovernet_types(folder: Path, nuclei: Nuclei, side: str) -> tuple[Path, list[str]]:
    """As HoVer-Net's program writes predictions: rows of id and type."""
    for name, _, ids in each(folder, nuclei):
        types = np.array([(number, of[0]) for number, of in enumerate(nuclei[name], start=1)])
        savemat(folder / f"{name}.mat", {"inst_map": ids, "inst_type": types})
    return folder, []


def hovernet_map(folder: Path, nuclei: Nuclei, side: str) -> tuple[Path, list[str]]:
    """As the labels of CoNSeP: maps of ids and of types, both as doubles."""
    for name, mask, ids in each(folder, nuclei):
        savemat(folder / f"{name}.mat", {"inst_map": ids.astype(float), "type_map": mask.astype(float)})
    return folder, []


def feature(of: tuple[int, int, int, int, int], kind: str, name: str | None = None) -> dict:
    index, row, column, height, width = of
    left, top, right, bottom = column, row, column + width, row + height
    ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    name = CLASSES[index] if name is None else name
    properties = {"objectType": kind, "classification": {"name": name, "color": [1, 2, 3]}}
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": properties if name else {"objectType": kind},
    }


def geojson(folder: Path, nuclei: Nuclei, side: str) -> tuple[Path, list[str]]:
    """As QuPath exports detections, within an annotation that has no class."""
    folder.mkdir(parents=True)
    for name, found in nuclei.items():
        around = feature((0, 0, 0, *SIZE), "annotation", "")
        features = [*(feature(of, "detection") for of in found), around]
        text = json.dumps({"type": "FeatureCollection", "features": features})
        (folder / f"{name}.geojson").write_text(text)
    return folder, []


def geojson_drawn(folder: Path, nuclei: Nuclei, side: str) -> tuple[Path, list[str]]:
    """As a person draws nuclei in QuPath: annotations, in other words for the classes."""
    folder.mkdir(parents=True)
    for name, found in nuclei.items():
        features = [feature(of, "annotation", f"My {CLASSES[of[0]]}") for of in found]
        (folder / f"{name}.json").write_text(json.dumps(features))
    return folder, ["--class-names", *(f"My {name}={name}" for name in CLASSES[1:])]


def score(folder: Path, truth: tuple[Path, list[str]], *predictions: tuple[str, Path], flags: list[str] = ()) -> str:
    """Run the script on files that writers gave; the tables lie in `folder`. Gives its last words."""
    words = [str(SCORE), "--truth", str(truth[0]), "--out", str(folder), "--dataset", "lab", "--bootstrap", "40"]
    words += ["--prediction", *(f"{name}={path}" for name, path in predictions), *truth[1], *flags]
    return outcome(words)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def means(folder: Path, model: str = "model") -> dict[tuple[str, str], str]:
    """Mean by metric and class of one model in summary.csv."""
    table = rows(folder / "summary.csv")
    return {(row["metric"], row["class"]): row["mean"] for row in table if row["architecture"] == model}
