"""Row B13, what QuPath exports in another way than is thought; and B9 for GeoJSON without end."""

import json
from functools import partial
from pathlib import Path

import numpy as np

from tests.bad_input.case import Case
from tests.bad_input.made_files import put, save, tissue

READ = ("prepare_dataset.py", "--root", "raw", "--on-bad-image", "stop", "--reader")
TILES = (*READ, "qupath_tiles", "--option", 'classes=["0=ignore", "1=tumour", "2=stroma"]')
DRAWN = (*READ, "qupath")
NAMED = (*READ, "qupath_tiles")


def box(left: int, top: int, right: int, bottom: int, name: str = "Tumor") -> dict:
    ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    properties = {"objectType": "annotation", "classification": {"name": name, "color": [1, 2, 3]}}
    return {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}, "properties": properties}


def drawing(*features: dict, size: tuple[int, int] = (60, 100)) -> None:
    save("raw/a.png", tissue(0, *size))
    put("raw/a.geojson", json.dumps({"type": "FeatureCollection", "features": features}))


def text(content: str) -> None:
    save("raw/a.png", tissue(0, 60, 100))
    put("raw/a.geojson", content)


def tile(region: str, size: tuple[int, int] = (24, 32), slide: str = "S 1", labels: np.ndarray | None = None) -> None:
    values = np.ones(size, np.uint8) if labels is None else labels
    save(f"raw/images/{slide} [{region}].tif", tissue(0, *size))
    save(f"raw/labels/{slide} [{region}].png", values)


def label_list(slide: str, *names: str) -> None:
    labels = [{"classification": name, "label": number} for number, name in enumerate(names, start=1)]
    put(f"raw/{slide}-tiles.json", json.dumps({"labels": labels, "tiles": []}))


def labels_in_two_orders() -> None:
    for slide, names in (("S 1", ("Tumor", "Stroma")), ("S 2", ("Stroma", "Tumor"))):
        tile("d=1,x=0,y=0,w=32,h=24", slide=slide)
        label_list(slide, *names)


def tile_without_its_region() -> None:
    tile("d=1,x=0,y=0,w=32,h=24")
    save("raw/images/S 1.tif", tissue())
    save("raw/labels/S 1.png", np.ones((24, 32), np.uint8))


def without_calibration() -> None:
    for number in range(3):
        tile("d=2,x=0,y=0,w=64,h=48", slide=f"S {number}")


def mpp_of_index() -> str:
    header, first, *_ = Path("out/index.csv").read_text().splitlines()
    place = header.split(",").index("mpp") - len(header.split(","))  # from the end: the name has commas in it
    return f"out/index.csv, mpp of the first tile: {first.split(',')[place] or 'empty'}"


WRONG = [
    Case("B13", "a tile whose downsample is not that of its name", partial(tile, "d=2,x=0,y=0,w=32,h=24"), TILES),
    Case(
        "B13",
        "a tile and labels of different size",
        partial(tile, "d=1,x=0,y=0,w=32,h=24", labels=np.ones((12, 16), np.uint8)),
        TILES,
    ),
    Case("B13", "labels in another order on another slide", labels_in_two_orders, NAMED),
    Case("B13", "labels without names", partial(tile, "d=1,x=0,y=0,w=32,h=24"), NAMED),
    Case(
        "B13",
        "a label that no class has",
        partial(tile, "d=1,x=0,y=0,w=32,h=24", labels=np.full((24, 32), 3, np.uint8)),
        TILES,
    ),
    Case("B13", "a tile whose name has lost its region", tile_without_its_region, TILES),
    Case("B13", "tiles for the reader of drawings", partial(tile, "d=1,x=0,y=0,w=32,h=24"), DRAWN),
    Case(
        "B13",
        "a slide without calibration has no mpp",
        without_calibration,
        TILES,
        status=0,
        writes=("out",),
        shows=mpp_of_index,
    ),
    Case("B13", "drawings of another slide, beside the image", partial(drawing, box(900, 900, 950, 950)), DRAWN),
    Case(
        "B13",
        "a class that the map lacks",
        partial(drawing, box(0, 0, 20, 20), box(30, 0, 50, 20, "Necrosis")),
        (*DRAWN, "--option", "classes=Tumor=tumour"),
    ),
    Case("B13", "a drawing that is no GeoJSON", partial(text, "x,y\n1,2\n"), DRAWN),
]
ENDLESS = [
    Case(
        "B9",
        "more objects than the limit",
        partial(drawing, *[box(0, 0, 20, 20)] * 30),
        DRAWN,
        limits="geojson_objects=20",
    ),
    Case("B9", "a GeoJSON of 100,000 brackets in each other", partial(text, '{"features": ' + "[" * 100_000), DRAWN),
    Case(
        "B9",
        "a vertex that is NaN",
        partial(text, json.dumps({"features": [box(0, 0, 20, 20)]}).replace("[20, 20]", "[NaN, 20]")),
        DRAWN,
    ),
]
CASES = [*WRONG, *ENDLESS]
