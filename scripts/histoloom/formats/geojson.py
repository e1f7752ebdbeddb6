"""Writing of GeoJSON as QuPath reads it: object by object, so that a million nuclei need no more memory than a few.

The text is ASCII (JSON escapes the rest), since QuPath 0.5 reads with the computer's own encoding; one object stands on
each line; names and colours are never null. What the reader takes is written down in geojson.schema.yaml.

Source: RFC 7946; QuPath's PathIO, QuPathTypeAdapters, ROITypeAdapters and GsonTools (qupath-core, qupath.lib.io).
"""

import json
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, Int32, UInt8

from histoloom.files import atomic_file

LEVEL = 4  # of gzip: a fifth smaller than level 1; 6 is 3 % smaller still, and takes twice the time
GZIP = 16 + zlib.MAX_WBITS  # zlib's own gzip header has no time and no name in it: same objects, same bytes
BLOCK_BYTES = 2**20  # handed to the compressor at once
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "histoloom")


@dataclass(frozen=True)
class Polygons:
    """Polygons in columns, as nucleus tables have them: polygon i has the rings ring_start[i] to ring_start[i + 1],
    its outline first, then its holes; ring j the `vertices` (x, y) from vertex_start[j] to vertex_start[j + 1],
    in working pixels, the first not repeated at the end.
    """

    ring_start: Int[np.ndarray, " polygons_and_end"]
    vertex_start: Int[np.ndarray, " rings_and_end"]
    vertices: Int32[np.ndarray, "vertices 2"]

    def __len__(self) -> int:
        return len(self.ring_start) - 1

    def part(self, first: int, last: int) -> "Polygons":
        """Polygons `first` up to but without `last`."""
        rings = self.ring_start[first : last + 1]
        starts = self.vertex_start[rings[0] : rings[-1] + 1]
        return Polygons(rings - rings[0], starts - starts[0], self.vertices[starts[0] : starts[-1]])


class Coordinates:
    """Text of coordinates: full-resolution pixels with two decimals, `factor` of them for each working pixel.

    Corners of pixels have whole coordinates, so the text of each is made once, for an image of height x width working
    pixels, and looked up. Memory: some 20 bytes for each row and column.
    """

    def __init__(self, height: int, width: int, factor: float) -> None:
        values = [f"{place * factor:.2f}".rstrip("0").rstrip(".") for place in range(max(height, width) + 1)]
        self._x = np.array([f"[{value},".encode() for value in values[: width + 1]])
        self._y = np.array([f"{value}],".encode() for value in values[: height + 1]])
        self._x_bytes, self._y_bytes = np.strings.str_len(self._x), np.strings.str_len(self._y)

    def of(self, polygons: Polygons) -> list[bytes]:
        """The `coordinates` member of each polygon, its rings closed."""
        texts = self._of_rings(polygons.vertex_start, polygons.vertices)
        starts = polygons.ring_start.tolist()
        return [b"[" + b",".join(texts[a:b]) + b"]" for a, b in pairwise(starts)]

    def _of_rings(self, starts: Int[np.ndarray, " n"], vertices: Int32[np.ndarray, "vertices 2"]) -> list[bytes]:
        assert vertices.min(initial=0) >= 0, "a negative index would wrap around"
        x, y = np.insert(vertices, starts[1:], vertices[starts[:-1]], axis=0).T  # GeoJSON repeats the first vertex
        padded = np.empty(len(x), [("x", self._x.dtype), ("y", self._y.dtype)])
        padded["x"], padded["y"] = self._x[x], self._y[y]
        text = padded.tobytes().translate(None, b"\0")  # NumPy pads with zero bytes, which JSON never has
        behind = np.concatenate([[0], np.cumsum(self._x_bytes[x] + self._y_bytes[y])])
        places = behind[starts + np.arange(len(starts))].tolist()
        return [b"[" + text[a : b - 1] + b"]" for a, b in pairwise(places)]


def json_bytes(value: Any) -> bytes:
    """JSON of a value as ASCII without blanks; a NaN, which JSON does not know, raises ValueError."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")


def object_ids(slide: str, model: str, kind: str, first: int, count: int) -> list[bytes]:
    """Ids of the objects numbered `first` up to `first + count` of a slide and model: the same in every run.

    A UUID of version 8, whose content is free: the first 80 bits of the name-based UUID of (slide, model, kind), but
    for version and variant, then the number in 48 bits. So an import can replace what an earlier one brought.

    Source: RFC 9562, sections 5.5 and 5.8.
    """
    assert 0 <= first <= first + count <= 2**48, "the number has 48 bits"
    name = str(uuid.uuid5(NAMESPACE, json.dumps([slide, model, kind])))
    start = f"{name[:14]}8{name[15:24]}".encode()
    return [b"%b%012x" % (start, number) for number in range(first, first + count)]


def feature(identity: bytes, coordinates: bytes, properties: bytes) -> bytes:
    """The text of one polygon with its id and properties, both JSON already."""
    return b'{"type":"Feature","id":"%b","geometry":{"type":"Polygon","coordinates":%b},"properties":%b}' % (
        identity,
        coordinates,
        properties,
    )


def class_member(name: str, colour: Sequence[int] | UInt8[np.ndarray, "3"]) -> dict[str, Any]:
    """A class as QuPath takes it: with a name and a colour, without which it raises."""
    return {"name": name, "color": [int(value) for value in colour]}


def write_features(path: Path, about: Mapping[str, Any], features: Iterable[bytes]) -> int:
    """Write a FeatureCollection from texts of features, atomically; give their number. Gzip if the name ends in .gz.

    `about` becomes the member "histoloom" of the collection, before its features; QuPath reads past it.
    """
    count = 0
    with atomic_file(path) as part, part.open("wb") as file:
        compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP) if path.name.endswith(".gz") else None
        block = bytearray(b'{"type":"FeatureCollection","histoloom":' + json_bytes(dict(about)) + b',"features":[\n')
        for text in features:
            block += b",\n" + text if count else text
            count += 1
            if len(block) >= BLOCK_BYTES:
                file.write(compressor.compress(block) if compressor else block)
                block.clear()
        block += b"\n]}\n"
        file.write(compressor.compress(block) + compressor.flush() if compressor else block)
    return count
