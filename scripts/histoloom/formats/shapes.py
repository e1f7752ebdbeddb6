"""Shapes drawn on an image: read from GeoJSON in every spelling of QuPath, painted as a raster of labels."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from jaxtyping import Float64, Int32
from rasterio.features import rasterize
from rasterio.transform import Affine

from histoloom.errors import InputError
from histoloom.formats.json_stream import stream_objects
from histoloom.limits import limit, raising

SUFFIXES = (".geojson", ".json", ".geojson.gz", ".json.gz")
MAX_COORDINATE_PX = 10_000_000  # the largest slides have some 300,000 pixels a side
CLIPPED_VERTICES = 10_000  # larger shapes are cut to the window before they are painted
AREAS = ("Polygon", "MultiPolygon")
LINES = ("LineString", "MultiLineString")
POINTS = ("Point", "MultiPoint")
# Before version 0.4, QuPath wrote the kind of an object as its id.
OLD_KINDS = {"PathDetectionObject": "detection", "PathCellObject": "cell", "PathTileObject": "tile"}
OLD_KINDS |= {"PathAnnotationObject": "annotation", "TMACoreObject": "tmaCore"}


@dataclass(frozen=True)
class Shape:
    """One object of QuPath: `geometry` in full-resolution pixels (x, y), origin at the image's top left corner.

    `class_name` is "" where it is unclassified; a derived class is joined by ": ". `kind` is annotation, detection,
    cell, tile or tmaCore; the geometry of a cell is its nucleus, where the file has it.
    """

    geometry: shapely.Geometry
    class_name: str
    kind: str


@dataclass(frozen=True)
class Drawing:
    """The shapes of one file in file order, and how many objects were `repaired_shapes`, `empty_shapes` (without area
    or point) and `shapes_of_other_planes` (z or t is not 0); the latter two are not among `shapes`.
    """

    shapes: tuple[Shape, ...]
    counts: Counter


def read_shapes(path: Path) -> Drawing:
    """Read a FeatureCollection, an array of features, one Feature or one bare geometry, plain or gzip.

    The file is read as a stream: memory grows with the shapes' vertices, not with the text. Invalid polygons are
    mended by shapely's make_valid (even-odd, as QuPath fills them) and counted.
    Raises InputError for what is no GeoJSON, truncated files, coordinates that are no numbers of pixels, and more than
    limits.geojson_objects objects.
    """
    shapes: list[Shape] = []
    most = limit("geojson_objects")
    counts = Counter(repaired_shapes=0, empty_shapes=0, shapes_of_other_planes=0)
    pending = (
        (value, f"{path}: object {number}") for number, value in enumerate(stream_objects(path, "features"), start=1)
    )
    for done, (feature, subject) in enumerate(_with_children(pending), start=1):
        if done > most:
            raise InputError(
                f"{path}: holds more than {most} objects; expected at most so many, since memory grows with them; "
                f"export the slide in parts, or {raising('geojson_objects')}"
            )
        if (shape := _shape(feature, subject, counts)) is not None:
            shapes.append(shape)
    return Drawing(tuple(shapes), counts)


def class_name(classification: object) -> str:
    """The name of a class in any of QuPath's spellings, "" for none; a derived class is joined by ": ".

    >>> class_name({"names": ["Tumor", "Positive"], "color": [200, 0, 0]})
    'Tumor: Positive'
    >>> class_name({"name": "Positive", "colorRGB": -1, "parentClass": {"name": "Tumor"}})
    'Tumor: Positive'
    """
    if isinstance(classification, dict):
        names = classification.get("names") or [classification.get("name")]
        parts = [classification.get("parentClass"), *(names if isinstance(names, list) else [names])]
    else:
        parts = str(classification or "").split(":")
    named = (class_name(part) if isinstance(part, dict) else str(part or "") for part in parts)
    return ": ".join(part.strip() for name in named for part in name.split(":") if part.strip())


def paint(
    geometries: Sequence[shapely.Geometry],
    values: Sequence[int],
    *,
    column: int,
    row: int,
    width: int,
    height: int,
    downsample: int = 1,
    fill: int = 0,
) -> Int32[np.ndarray, "{height} {width}"]:
    """Paint shapes (full-resolution pixels) in order, later ones on top, into a window of working pixels.

    `column` and `row` of its top left corner, `width` and `height` are in working pixels, of `downsample`
    full-resolution pixels a side. A pixel is painted where its centre lies in the shape; holes stay as they were.
    """
    canvas = np.full((height, width), fill, np.int32)
    left, top = column * downsample, row * downsample
    window = (left, top, left + width * downsample, top + height * downsample)
    cut = [(_cut(geometry, window, downsample), value) for geometry, value in zip(geometries, values, strict=True)]
    if cut := [(geometry, value) for geometry, value in cut if not geometry.is_empty]:
        rasterize(cut, out=canvas, transform=Affine(downsample, 0, left, 0, downsample, top))
    return canvas


def _cut(geometry: shapely.Geometry, window: tuple[int, int, int, int], downsample: int) -> shapely.Geometry:
    # A border's width is left around the window, so that no edge within it moves.
    left, top, right, bottom = (
        window[0] - downsample,
        window[1] - downsample,
        *(side + downsample for side in window[2:]),
    )
    if shapely.get_num_coordinates(geometry) <= CLIPPED_VERTICES:
        return geometry
    return shapely.clip_by_rect(geometry, left, top, right, bottom)


def _with_children(features: Iterator[tuple[Any, str]]) -> Iterator[tuple[dict, str]]:
    for value, subject in features:
        feature = {"type": "Feature", "geometry": value} if _is_geometry(value) else value
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            found = f"type {feature.get('type')!r}"[:80] if isinstance(feature, dict) else type(feature).__name__
            raise InputError(f"{subject} is a {found}; expected a Feature or a geometry; export the file again")
        yield feature, subject
        children = _properties(feature, subject).get("childObjects")
        yield from _with_children((child, subject) for child in (children if isinstance(children, list) else []))


def _is_geometry(value: object) -> bool:
    return isinstance(value, dict) and value.get("type") in (*AREAS, *LINES, *POINTS)


def _properties(feature: dict, subject: str) -> dict:
    properties = feature.get("properties") or {}
    if not isinstance(properties, dict):
        raise InputError(f"{subject}: its properties are no object but {str(properties)[:60]!r}; export the file again")
    return properties


def _shape(feature: dict, subject: str, counts: Counter) -> Shape | None:
    properties = _properties(feature, subject)
    old_kind = OLD_KINDS.get(str(feature.get("id")), "annotation")
    kind = str(properties.get("objectType") or properties.get("object_type") or old_kind)
    value = feature.get("nucleusGeometry") or feature.get("geometry")
    if not value:
        counts["empty_shapes"] += 1
        return None
    if not _is_geometry(value):
        found = value.get("type") if isinstance(value, dict) else value
        kinds = ", ".join((*AREAS, *LINES, *POINTS))
        raise InputError(f"{subject}: geometry {str(found)[:60]!r}; expected {kinds}; export the file again")
    if _plane(value, feature) != (0, 0):
        counts["shapes_of_other_planes"] += 1
        return None
    geometry = _geometry(value["type"], value.get("coordinates"), subject)
    if not geometry.is_valid and value["type"] in AREAS:
        counts["repaired_shapes"] += 1
        geometry = _areas(shapely.make_valid(geometry))
    if geometry.is_empty:
        counts["empty_shapes"] += 1
        return None
    return Shape(geometry, class_name(properties.get("classification")), kind)


def _plane(geometry: dict, feature: dict) -> tuple[object, object]:
    plane = geometry.get("plane") or feature.get("plane")
    return (plane.get("z", 0), plane.get("t", 0)) if isinstance(plane, dict) else (0, 0)


def _geometry(kind: str, coordinates: Any, subject: str) -> shapely.Geometry:
    try:
        if kind in POINTS:
            return shapely.MultiPoint(_vertices([coordinates] if kind == "Point" else coordinates))
        if kind in LINES:
            return shapely.MultiLineString(_lines([coordinates] if kind == "LineString" else coordinates))
        if kind == "Polygon":
            return _polygon(coordinates)
        return shapely.MultiPolygon([polygon for polygon in map(_polygon, coordinates) if not polygon.is_empty])
    except (TypeError, ValueError, shapely.GEOSException) as error:
        reason = str(error).splitlines()[0][:120]
        raise InputError(
            f"{subject}: {kind} with bad coordinates ({reason}); expected full-resolution pixels, x before "
            "y; export the file again"
        ) from error


def _polygon(rings: Any) -> shapely.Polygon:
    shell, *holes = [_open_ring(_vertices(ring)) for ring in rings] or [[]]
    if len(shell) < 3:
        return shapely.Polygon()
    return shapely.Polygon(shell, [hole for hole in holes if len(hole) >= 3])


def _open_ring(ring: Float64[np.ndarray, "vertices 2"]) -> Float64[np.ndarray, "others 2"]:
    return ring[:-1] if len(ring) and (ring[0] == ring[-1]).all() else ring


def _lines(lines: Any) -> list[Float64[np.ndarray, "vertices 2"]]:
    return [vertices for vertices in map(_vertices, lines) if len(vertices) > 1]


def _vertices(pairs: Any) -> Float64[np.ndarray, "vertices 2"]:
    vertices = np.asarray(pairs)
    if vertices.shape == (0,):
        return np.zeros((0, 2))
    if vertices.ndim != 2 or vertices.shape[1] < 2 or vertices.dtype.kind not in "iuf":
        raise ValueError(f"{vertices.dtype} of shape {vertices.shape} instead of pairs of numbers")
    vertices = vertices[:, :2].astype(np.float64)
    if not (np.abs(vertices) <= MAX_COORDINATE_PX).all():  # written so that NaN is refused too
        raise ValueError(f"beyond {MAX_COORDINATE_PX} pixels, or not finite")
    return vertices


def _areas(geometry: shapely.Geometry) -> shapely.MultiPolygon:
    parts = shapely.get_parts(shapely.get_parts(geometry))
    return shapely.MultiPolygon([part for part in parts if part.geom_type == "Polygon"])
