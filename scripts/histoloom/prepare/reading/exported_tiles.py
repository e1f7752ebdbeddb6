"""Tiles that QuPath's TileExporter wrote: found and placed by their names, labels turned into classes."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import shapely

from histoloom.errors import InputError
from histoloom.formats import shapes
from histoloom.formats.images import SUFFIXES, read_image, read_mask
from histoloom.formats.whole import read_whole
from histoloom.prepare.reading.class_map import NOTHING, class_values, study_class
from histoloom.prepare.reading.pairs import pair_by_stem
from histoloom.sample import IGNORE, Sample

# TileExporter.getRegionString: d, z and t are left out where they are 1, 0 and 0.
TILE_NAME = re.compile(
    r"(?P<slide>.+) \[(?:d=(?P<d>\d+(?:\.\d+)?),)?x=(?P<x>-?\d+),y=(?P<y>-?\d+),w=(?P<w>\d+),h=(?P<h>\d+)"
    r"(?:,z=\d+)?(?:,t=\d+)?\]"
)
BESIDE = "-labelled"  # what TileExporter appends to labels of the same folder and format as the images
NOT_DRAWN = 0  # LabeledImageServer's background label: where nothing is drawn


@dataclass(frozen=True)
class Tile:
    """An exported tile: its files, its slide, and the region (full-resolution pixels) and downsample in its name."""

    stem: str
    slide: str
    image: Path
    labels: Path
    x: int
    y: int
    w: int
    h: int
    downsample: float


def exported_tile(images: Path, annotations: Path) -> Path | None:
    """An image that bears the name of an exported tile; None where such tiles are annotated anew, by GeoJSON files."""
    drawn = any(TILE_NAME.match(path.name) for path in _files(annotations, shapes.SUFFIXES))
    tiles = (path for path in _files(images, SUFFIXES) if TILE_NAME.match(path.name))
    return None if drawn else next(tiles, None)


def find_tiles(images: Path, labels: Path, ending: str = "") -> tuple[list[Tile], tuple[str, ...]]:
    """Pair tiles with their labels, and say which find no partner or have no region in their name.

    Labels bear the tile's name with `ending`; in one folder they are the .png beside tiles of another format, or end
    in "-labelled".
    """
    is_shared = images.resolve() == labels.resolve()
    if is_shared and not ending and any(path.stem.endswith(BESIDE) for path in _files(images, SUFFIXES)):
        ending = BESIDE
    formats = [suffix for suffix in SUFFIXES if suffix != ".png"] if is_shared and not ending else SUFFIXES
    kinds = [".png"] if is_shared and not ending else SUFFIXES
    pairs, problems = pair_by_stem(images, labels, formats, kinds, annotation_ending=ending)
    matches = {pair: TILE_NAME.fullmatch(pair.stem) for pair in pairs}
    nameless = tuple(
        f"{pair.image}: no region in its name; expected 'name [d=2,x=0,y=0,w=1024,h=1024]' as TileExporter writes it; "
        "export the tile again, or move it away"
        for pair, match in matches.items()
        if not match
    )
    tiles = [
        Tile(pair.stem, match["slide"], pair.image, pair.annotation, *_region(match), float(match["d"] or 1))
        for pair, match in matches.items()
        if match
    ]
    return tiles, (*problems, *nameless)


def label_names(root: Path) -> dict[int, str]:
    """The class in QuPath of each label number, as the <slide>-tiles.json files under `root` give them, or nothing.

    Raises InputError for an unreadable file, and where two files give one number to different classes.
    """
    names: dict[int, str] = {}
    for path in _files(root, ("-tiles.json",)):
        for number, name in _names_in(path).items():
            if names.setdefault(number, name) != name:
                raise InputError(
                    f"{path}: label {number} is '{name}', elsewhere it is '{names[number]}'; expected one order of "
                    "labels for all slides; export all with the same addLabel lines"
                )
    return names


def overlapping(tiles: Sequence[Tile]) -> tuple[Tile, Tile] | None:
    """Two tiles of one slide that share pixels, if there are any."""
    for _, group in groupby(sorted(tiles, key=lambda tile: tile.slide), key=lambda tile: tile.slide):
        members = list(group)
        boxes = shapely.box(*np.array([(one.x, one.y, one.x + one.w, one.y + one.h) for one in members], float).T)
        first, second = shapely.STRtree(boxes).query(boxes, predicate="intersects")
        shared = shapely.area(shapely.intersection(boxes[first], boxes[second])) > 0
        if (pairs := np.argwhere(shared & (first < second))).size:
            return members[first[pairs[0, 0]]], members[second[pairs[0, 0]]]
    return None


def read_tile(
    root: Path,
    tile: Tile,
    numbers: Mapping[int, str],
    targets: Mapping[str, str],
    classes: Sequence[str],
    mpp: int | float,
    group: str,
    stratum: str,
) -> Sample:
    """Read one tile as a sample; `mpp` is that of the full resolution (0 = unknown), an empty `group` is the tile.

    Raises InputError where the size contradicts the name, the labels have another size, or a label has no class.
    """
    image = read_image(tile.image)
    height, width = image.shape[:2]
    expected = (tile.w / tile.downsample, tile.h / tile.downsample)
    # QuPath rounds the region, not the tile, so that a tile may be one pixel off.
    if abs(width - expected[0]) > 1 or abs(height - expected[1]) > 1:
        raise InputError(
            f"{tile.image}: is {width} x {height} pixels; expected {expected[0]:g} x {expected[1]:g}, as w / d and "
            "h / d of its name say; the name's downsample is not the image's: export the tiles again"
        )
    labels = read_mask(tile.labels)
    if labels.shape != (height, width):
        raise InputError(
            f"{tile.labels}: labels are {labels.shape[1]} x {labels.shape[0]} pixels, the tile is {width} x {height}; "
            "expected one size; export both with the same downsample"
        )
    mask = _mask(tile.labels, labels, numbers, targets, classes)
    source = tile.image.relative_to(root).as_posix()
    return Sample(
        tile.stem, image, mask, None, mpp * tile.downsample if mpp else None, group or tile.stem, stratum, source=source
    )


def _mask(
    path: Path, labels: np.ndarray, numbers: Mapping[int, str], targets: Mapping[str, str], classes: Sequence[str]
) -> np.ndarray:
    values = class_values(classes) | {NOTHING: IGNORE}
    table = np.full(256, IGNORE, np.uint8)
    for number in np.unique(labels).tolist():
        name = numbers.get(number, str(number))
        target = study_class(name, targets) if number in numbers or name in targets else None
        if target is None and number == NOT_DRAWN:
            continue
        if target is None:
            named = f"{number} ({name})" if number in numbers else name
            raise InputError(
                f"{path}: label {named} in {(labels == number).sum()} pixels; expected "
                f"{', '.join(targets or numbers.values())}; add '{name}=<class of the study>' or "
                f"'{name}=ignore' to classes"
            )
        table[number] = values[target]
    return table[labels]


def _names_in(path: Path) -> dict[int, str]:
    try:
        labels = json.loads(read_whole(path)).get("labels") or []
        return {entry["label"]: str(entry["classification"]) for entry in labels if isinstance(entry.get("label"), int)}
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:120]
        raise InputError(f"{path}: is no list of exported tiles ({reason}); export the tiles again") from error


def _region(match: re.Match) -> tuple[int, int, int, int]:
    return int(match["x"]), int(match["y"]), int(match["w"]), int(match["h"])


def _files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name.lower().endswith(tuple(suffixes)))
