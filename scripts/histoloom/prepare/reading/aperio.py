"""Outlines from the XML in which Aperio ImageScope keeps annotations, read without trust in the file."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat

from histoloom.errors import InputError
from histoloom.formats.whole import read_whole

MAX_COORDINATE_PX = 1e7  # larger than any slide


@dataclass(frozen=True)
class Outlines:
    """Regions in the order of the file, each its vertices (x, y) in pixels, and what was left out.

    `mpp` is micrometres per pixel, None where the file does not say; `short` counts regions of fewer than 3 vertices,
    `negative` those that mark an area to leave out.
    """

    rings: list[list[tuple[float, float]]]
    mpp: float | None
    short: int
    negative: int


def read_outlines(path: Path) -> Outlines:
    """Read the regions of an Aperio XML file, plain or gzip, of at most limits.text_mib when unpacked.

    Entities could make a small file grow beyond any memory or read other files, so a file with a document type is
    refused. Raises InputError, with the line where there is one, for that, for broken XML, a larger file, another root
    than Annotations, vertices outside a region, and numbers that are none.
    """
    payload = read_whole(path, may_be_gzip=True)
    reading = _Reading(path)
    try:
        reading.parser.Parse(payload, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # the latter two for encodings that Python lacks
        raise reading.refused(f"is broken XML ({error})", "Aperio's XML", "export or download it again") from error
    return reading.outlines()


class _Reading:
    """What was read so far; its methods are called by the parser as it meets the parts of the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mpp: float | None = None
        self.regions: list[list[tuple[float, float]]] = []
        self.negative = 0
        self.depth = 0
        self.in_region = False
        self.is_negative = False
        self.parser = expat.ParserCreate()
        self.parser.StartDoctypeDeclHandler = self.refuse_doctype
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end

    def refused(self, value: str, expected: str, cure: str) -> InputError:
        line = self.parser.CurrentLineNumber
        return InputError(f"{self.path} line {line}: {value}; expected {expected}; {cure}")

    def refuse_doctype(self, *_: object) -> None:
        raise self.refused("has a document type (DOCTYPE)", "none, as Aperio writes it", "remove it")

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self.depth == 0:
            self.start_root(name, attributes)
        elif name == "Region":
            self.in_region = True
            self.is_negative = attributes.get("NegativeROA") == "1"
            self.negative += self.is_negative
            if not self.is_negative:
                self.regions.append([])
        elif name == "Vertex":
            self.add_vertex(attributes)
        self.depth += 1

    def start_root(self, name: str, attributes: Mapping[str, str]) -> None:
        if name != "Annotations":
            raise self.refused(f"its root is <{name[:40]}>", "<Annotations>, as Aperio writes it", "export it as such")
        cell = attributes.get("MicronsPerPixel", "").strip()
        try:
            value = float(cell or 0)  # Aperio writes 0 where it does not know
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value >= 0):
            raise self.refused(f"MicronsPerPixel is '{cell[:40]}'", "micrometres per pixel, such as 0.25", "mend it")
        self.mpp = value or None

    def add_vertex(self, attributes: Mapping[str, str]) -> None:
        if not self.in_region:
            raise self.refused("has a Vertex outside a Region", "one within", "export it again")
        try:
            x, y = float(attributes["X"]), float(attributes["Y"])
        except (KeyError, ValueError):
            x = y = math.nan
        if not (abs(x) <= MAX_COORDINATE_PX and abs(y) <= MAX_COORDINATE_PX):  # written so that NaN is refused too
            shown = {axis: attributes.get(axis, "nothing")[:40] for axis in ("X", "Y")}
            raise self.refused(f"vertex lies at X {shown['X']}, Y {shown['Y']}", "two numbers of pixels", "mend it")
        if not self.is_negative:
            self.regions[-1].append((x, y))

    def end(self, name: str) -> None:
        self.depth -= 1
        if name == "Region":
            self.in_region = False

    def outlines(self) -> Outlines:
        rings = [ring for ring in self.regions if len(ring) >= 3]
        return Outlines(rings, self.mpp, len(self.regions) - len(rings), self.negative)
