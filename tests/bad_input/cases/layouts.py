"""Row B12: what goes wrong in the layouts of BreCaHAD, CryoNuSeg and PanNuke; and B9 for the points of a JSON."""

import json
from functools import partial
from pathlib import Path

import numpy as np

from tests.bad_input.case import Case
from tests.bad_input.made_files import put, save, tissue

READ = ("prepare_dataset.py", "--root", "raw", "--on-bad-image", "stop", "--reader")
PATCH = (4, 5)


def write_case(name: str, text: str) -> None:
    """A field of view of BreCaHAD with this text as its points, beside a sound one."""
    for stem, content in (("Case_1-01", '{"tumor": [{"x": 0.5, "y": 0.5}]}'), (name, text)):
        save(f"raw/images/{stem}.png", tissue())
        put(f"raw/groundTruth/{stem}.json", content)


def points(text: str, name: str = "Case_2-01") -> partial:
    return partial(write_case, name, text)


BRECAHAD = [
    ("a point outside of its image", points('{"tumor": [{"x": 0.2, "y": 0.9}, {"x": 1.25, "y": 0.5}]}')),
    ("points in pixels instead of shares", points('{"tumor": [{"x": 812, "y": 411}]}')),
    ("a point that is a text", points('{"tumor": [{"x": "0.5", "y": 0.5}]}')),
    ("a kind of point with a slip of the pen", points('{"tumour": [{"x": 0.5, "y": 0.5}]}')),
    ("points in a JSON that breaks off", points('{"tumor": [{"x": 0.5, "y"')),
    ("an image whose name tells no case", points('{"tumor": []}', "Patient_7")),
]


def write_tile(labels: np.ndarray) -> None:
    save("raw/tissue images/Human_Larynx_02.tif", tissue())
    save("raw/Annotator 1 (biologist)/label masks modify/Human_Larynx_02.tif", labels)


def with_table(text: str) -> None:
    write_tile(np.zeros((24, 32), np.uint16))
    put("raw/selected_wsis.csv", text)


CRYONUSEG = [
    ("labels of another size than their tile", partial(write_tile, np.zeros((24, 16), np.uint16))),
    ("labels in colour", partial(write_tile, tissue(1))),
    (
        "a table with an mpp that is no number",
        partial(with_table, "TCGA,Pixel-Dimensions,File Name\nTCGA-1,0.25 um,Human_Larynx_02\n"),
    ),
    ("a table without its columns", partial(with_table, "slide,mpp\nTCGA-1,0.25\n")),
]


def channels(**ids: float) -> np.ndarray:
    """Two patches of six channels as PanNuke has them, with ids in the first patch: c<channel>r<row>=id."""
    values = np.zeros((2, *PATCH, 6))
    for place, number in ids.items():
        values[0, int(place[3]), :, int(place[1])] = number
    values[..., 5] = values[..., :5].max(-1) == 0
    return values


def write_fold(folder: str, **arrays: np.ndarray) -> None:
    """A fold of PanNuke of two patches of 4 x 5 px; `arrays` are in place of its usual ones."""
    pixels = np.stack([np.full((*PATCH, 3), value, np.float64) for value in (10, 20)])
    values = {"images": pixels, "masks": channels(c0r0=7), "types": np.array(["Breast", "Colon"])} | arrays
    Path(folder).mkdir(parents=True, exist_ok=True)
    for kind, array in values.items():
        np.save(f"{folder}/{kind}.npy", array)


def fold(**arrays: np.ndarray) -> partial:
    return partial(write_fold, "raw/Fold 1", **arrays)


def cut_array() -> None:
    write_fold("raw/Fold 1")
    path = Path("raw/Fold 1/images.npy")
    path.write_bytes(path.read_bytes()[:-100])


def counted() -> str:
    facts = json.loads(Path("out/dataset.json").read_text())["facts"]
    return "\n".join(["out/dataset.json, facts:", *(f"  {key}: {value}" for key, value in facts.items())])


PANNUKE = [
    ("five channels, the one of background is missing", fold(masks=channels()[..., :5])),
    ("pixels from 0 to 1", fold(images=np.full((2, *PATCH, 3), 0.5))),
    ("ids that are no whole numbers", fold(masks=channels(c0r0=7.5))),
    ("fewer masks than images", fold(masks=channels()[:1])),
    ("an array that breaks off", cut_array),
    ("no folds in the folder", partial(put, "raw/readme.txt", "PanNuke")),
]


def lab(row: str, name: str, lay: object, reader: str, *more: str, **rest: object) -> Case:
    return Case(row, name, lay, (*READ, reader, *more), **rest)


CASES = [
    *(lab("B12", name, lay, "brecahad") for name, lay in BRECAHAD),
    *(lab("B12", name, lay, "cryonuseg", "--option", "second=none") for name, lay in CRYONUSEG),
    *(lab("B12", name, lay, "pannuke") for name, lay in PANNUKE),
    lab(
        "B12",
        "ids with gaps and nuclei on each other are made good and counted",
        fold(masks=channels(c0r0=7, c0r1=4000, c3r1=9)),
        "pannuke",
        status=0,
        writes=("out",),
        shows=counted,
    ),
    lab("B9", "a point that is NaN", points('{"tumor": [{"x": NaN, "y": 0.5}]}'), "brecahad"),
    lab("B9", "a JSON of 100,000 brackets in each other", points('{"tumor": ' + "[" * 100_000), "brecahad"),
]
