"""Regions and nuclei of a slide as objects of QuPath: annotations and detections, with class, area and origin."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from histoloom.formats import polygons
from histoloom.formats.geojson import Coordinates, Polygons, class_member, feature, json_bytes, object_ids
from histoloom.slides.class_colours import colours_of
from histoloom.slides.export.regions_vectors import Region
from histoloom.slides.nuclei.table import NucleiTable

MARK = "histoloom"  # the key of an object's metadata whose value is the model: so an import finds what it brought
AREA, PROBABILITY = "Area µm^2", "Mean probability"
REGION_AREA = "Region area µm^2"  # QuPath shows an "Area µm^2" of its own for annotations, of the simplified outline
NUCLEI_AT_ONCE = 4096


@dataclass(frozen=True)
class Origin:
    """Whose objects they are, and where: the slide's name, the model, its classes (background first), the working grid
    (height, width, µm per pixel) and how many full-resolution pixels one of its pixels is wide.
    """

    slide: str
    model: str
    classes: Sequence[str]
    height: int
    width: int
    mpp: float
    factor: float

    def coordinates(self) -> Coordinates:
        """Texts of coordinates: an outline on the last row or column may lie up to half a working pixel outside."""
        return Coordinates(self.height, self.width, self.factor)


def region_features(regions: Iterable[Region], origin: Origin, tolerance_px: float = 0.0) -> Iterator[bytes]:
    """A locked annotation for each region, with its area in µm².

    With `tolerance_px` above 0 outlines are simplified by it (see histoloom.formats.polygons); areas are those before.
    """
    coordinates, colours = origin.coordinates(), colours_of(origin.classes)
    for number, region in enumerate(regions):
        (identity,) = object_ids(origin.slide, origin.model, "region", number, 1)
        properties = {
            "objectType": "annotation",
            "classification": class_member(origin.classes[region.class_index], colours[region.class_index]),
            "isLocked": True,
            "measurements": {REGION_AREA: round(region.area_px * origin.mpp**2, 2)},
            "metadata": {MARK: origin.model},
        }
        yield feature(identity, coordinates.of(_simplified(region.outline, tolerance_px))[0], json_bytes(properties))


def nucleus_features(tables: Iterable[NucleiTable], origin: Origin, tolerance_px: float = 0.0) -> Iterator[bytes]:
    """A detection for each nucleus, in order, with its area in µm² and mean probability.

    With `tolerance_px` above 0 outlines are simplified by it (see histoloom.formats.polygons); areas are those before.
    """
    coordinates, properties_of, number = origin.coordinates(), _nucleus_properties(origin), 0
    for table in tables:
        outlines = Polygons(table.ring_start, table.vertex_start, table.vertices)
        for first in range(0, len(table), NUCLEI_AT_ONCE):
            last = min(first + NUCLEI_AT_ONCE, len(table))
            identities = object_ids(origin.slide, origin.model, "nucleus", number + first, last - first)
            texts = coordinates.of(_simplified(outlines.part(first, last), tolerance_px))
            yield from map(feature, identities, texts, properties_of(table, slice(first, last)))
        number += len(table)


def _simplified(outlines: Polygons, tolerance_px: float) -> Polygons:
    if tolerance_px <= 0:
        return outlines
    is_hole = np.ones(len(outlines.vertex_start) - 1, bool)
    is_hole[outlines.ring_start[:-1]] = False
    label = (np.cumsum(~is_hole)).astype(np.int32)
    exact = polygons.Rings(label, is_hole, outlines.vertex_start, outlines.vertices)
    fewer = polygons.simplified(exact, tolerance_px)
    return Polygons(outlines.ring_start, fewer.start, fewer.vertices)


def _nucleus_properties(origin: Origin) -> Callable[[NucleiTable, slice], list[bytes]]:
    """A function that writes the properties of some nuclei: all but two numbers of each is written beforehand."""
    colours = colours_of(origin.classes)
    heads = []
    for name, colour in zip(origin.classes, colours, strict=True):
        properties = {"objectType": "detection", "classification": class_member(name, colour)}
        heads.append(json_bytes(properties)[:-1] + b',"measurements":{%b:' % json_bytes(AREA))
    middle = b",%b:" % json_bytes(PROBABILITY)
    end = b'},"metadata":%b}' % json_bytes({MARK: origin.model})

    def texts(table: NucleiTable, some: slice) -> list[bytes]:
        columns = (table.class_index[some], table.area_px[some] * origin.mpp**2, table.mean_probability[some])
        values = zip(*(column.tolist() for column in columns), strict=True)
        return [b"%b%.2f%b%.4f%b" % (heads[index], area, middle, mean, end) for index, area, mean in values]

    return texts
