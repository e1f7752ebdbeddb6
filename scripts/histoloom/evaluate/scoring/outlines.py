"""GeoJSON of one image, as QuPath exports it: polygons with the names of classes, painted as classes and nuclei."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import shapely
from jaxtyping import Int32

from histoloom.errors import InputError
from histoloom.evaluate.scoring.maps import Maps, Size
from histoloom.evaluate.scoring.reading import Reading, class_index
from histoloom.formats.shapes import Shape, paint, read_shapes

DETECTIONS = ("detection", "cell")


def hold_detections(paths: Iterable[Path]) -> bool:
    """Whether any of the files has an object that QuPath calls a detection or a cell."""
    return any(shape.kind in DETECTIONS for path in paths for shape in read_shapes(path).shapes)


def read_nuclei(path: Path, reading: Reading, size: Size | None) -> Maps:
    """Read a file without detections: every polygon of a foreground class is a nucleus.

    Later objects are painted over earlier ones; what is of no class has the one that there is. Raises InputError for
    points and lines, for classes that are none of ours, and where no size is known.
    """
    size = _known(path, reading, size)
    nuclei = _classed(path, _polygons(path), reading)
    return Maps(_mask(nuclei, size), _numbered(nuclei, size), _classes(nuclei))


def read_detections(path: Path, reading: Reading, size: Size | None) -> Maps:
    """Read a file whose nuclei are detections or cells; annotations are regions beneath them, or nothing.

    An annotation of no class is nothing. Raises InputError as `read_nuclei` does.
    """
    size, shapes = _known(path, reading, size), _polygons(path)
    nuclei = _classed(path, [shape for shape in shapes if shape.kind in DETECTIONS], reading)
    drawn = [shape for shape in shapes if shape.kind not in DETECTIONS and shape.class_name]
    mask = _mask([*_classed(path, drawn, reading), *nuclei], size)
    return Maps(mask, _numbered(nuclei, size), _classes(nuclei))


def read_regions(path: Path, reading: Reading, size: Size | None) -> Maps:
    """Read the classes alone: no polygon is a nucleus. Raises InputError as `read_nuclei` does."""
    return Maps(_mask(_classed(path, _polygons(path), reading), _known(path, reading, size)))


Classed = Sequence[tuple[shapely.Geometry, int]]


def _polygons(path: Path) -> Sequence[Shape]:
    shapes = read_shapes(path).shapes
    others = [shape for shape in shapes if not isinstance(shape.geometry, shapely.Polygon | shapely.MultiPolygon)]
    if others:
        raise InputError(
            f"{path}: {len(others)} of {len(shapes)} objects are points or lines; expected polygons, which have "
            "pixels; remove them, or export the outlines"
        )
    return shapes


def _classed(path: Path, shapes: Sequence[Shape], reading: Reading) -> Classed:
    found = ((shape.geometry, class_index(shape.class_name, reading, f"{path}")) for shape in shapes)
    return [(geometry, index) for geometry, index in found if index is not None]


def _mask(shapes: Classed, size: Size) -> np.ndarray:
    height, width = size
    geometries, indices = [geometry for geometry, _ in shapes], [index for _, index in shapes]
    return paint(geometries, indices, column=0, row=0, width=width, height=height).astype(np.uint8)


def _numbered(nuclei: Classed, size: Size) -> Int32[np.ndarray, "height width"]:
    # Background has no nuclei: it wipes out what it is painted over.
    numbered = [(geometry, number if index else 0) for number, (geometry, index) in enumerate(nuclei, start=1)]
    height, width = size
    geometries, numbers = [geometry for geometry, _ in numbered], [number for _, number in numbered]
    return paint(geometries, numbers, column=0, row=0, width=width, height=height)


def _classes(nuclei: Classed) -> dict[int, int]:
    return {number: index for number, (_, index) in enumerate(nuclei, start=1) if index}


def _known(path: Path, reading: Reading, size: Size | None) -> Size:
    found = size or reading.size
    if found is None:
        raise InputError(
            f"{path}: GeoJSON does not say how large its image is; expected it from the other side's files; give "
            "--image-size HEIGHT WIDTH"
        )
    return found
