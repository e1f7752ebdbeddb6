"""Writer of pyramidal OME-TIFF: what was computed of a slide, one named and coloured channel a class, row by row.

A file is BigTIFF: a grey page for each channel in tiles of 512 px, deflated, and its coarser levels as SubIFDs, which
is where Bio-Formats, QuPath and tifffile look for them. It holds no date and no random id, so equal values give equal
bytes.

Sources: OME-TIFF specification, https://docs.openmicroscopy.org/ome-model/6.2.2/ome-tiff/specification.html;
OME-XML schema 2016-06.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, Literal
from xml.etree import ElementTree

import imagecodecs
import numpy as np
import tifffile
from jaxtyping import UInt8

from histoloom.files import atomic_file

Kind = Literal["classes", "probabilities"]
Rows = Callable[[int, int], UInt8[np.ndarray, "rows width channels"]]
Colour = Sequence[int] | UInt8[np.ndarray, "3"]
Colours = Sequence[Colour] | UInt8[np.ndarray, "channels 3"]

TILE_PX = 512
DEFLATE_LEVEL = 1  # of probabilities: a tenth larger than level 4, in half the time; of masks as small
NAMESPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"


def write_ome_tiff(
    path: Path,
    rows: Rows,
    height: int,
    width: int,
    channel_names: Sequence[str],
    colours: Colours,
    mpp: float,
    kind: Kind,
) -> None:
    """Write `height` x `width` pixels of `mpp` µm with a channel for each of `channel_names`, atomically.

    `rows(first, last)` is called once for each 512 rows, from the top.
    - "classes": it gives class indices (rows, width, 1). Channel k is 255 where the index is k + 1 and 0 elsewhere, so
      that background (0) and what nobody looked at (255) are in none, and every viewer shows names and colours. A pixel
      of a coarser level has the class that most of its four pixels have, the first of equals in reading order.
    - "probabilities": it gives bytes (rows, width, channels). Coarser levels are means, a half rounded up.
    `colours` are RGB (0 to 255); a black channel is invisible in viewers, which add channels up.

    Memory is some rows of tiles at full width, whatever the height. Compressed tiles wait in a nameless file beside
    `path` until all are known, which takes as much room again as the file itself.
    Raises InputError where the disk is full; what stood at `path` then stays.
    """
    assert height > 0 and width > 0 and mpp > 0, (height, width, mpp)
    assert 0 < len(channel_names) == len(colours), (channel_names, colours)
    with atomic_file(path) as part, tempfile.TemporaryFile(dir=part.parent) as spool:
        levels = [_Level(*size, [[] for _ in channel_names]) for size in level_sizes(height, width)]
        for first in range(0, height, TILE_PX):
            _add(levels, rows(first, min(first + TILE_PX, height)), kind, spool)
        spool.flush()
        _write(part, levels, _description(levels[0], channel_names, colours, mpp), mpp, spool)


def level_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Height and width of each level: each is half of the one before, rounded up, until one tile holds it.

    >>> level_sizes(1025, 300)
    [(1025, 300), (513, 150), (257, 75)]
    """
    sizes = [(height, width)]
    while max(sizes[-1]) > TILE_PX:
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    return sizes


@dataclass
class _Level:
    """One level on its way into the file: rows that do not fill a row of tiles yet, and where in the spool each tile
    of each channel is (offset, length)."""

    height: int
    width: int
    places: list[list[tuple[int, int]]]
    waiting: list[np.ndarray] = field(default_factory=list)
    rows_seen: int = 0


def _add(levels: Sequence[_Level], band: UInt8[np.ndarray, "rows width _"], kind: Kind, spool: IO[bytes]) -> None:
    """Add the next row of tiles to the first level, and to the coarser ones what it completes of theirs."""
    level, coarser = levels[0], levels[1:]
    for left in range(0, level.width, TILE_PX):
        _keep(level, _whole_tile(band[:, left : left + TILE_PX]), kind, spool)
    if not coarser:
        return
    following = coarser[0]
    following.waiting.append(_halved(band, kind))
    following.rows_seen += len(following.waiting[-1])
    if following.rows_seen % TILE_PX == 0 or following.rows_seen == following.height:
        complete = np.concatenate(following.waiting)
        following.waiting.clear()
        _add(coarser, complete, kind, spool)


def _keep(level: _Level, tile: UInt8[np.ndarray, "512 512 _"], kind: Kind, spool: IO[bytes]) -> None:
    """Put a tile of each channel into the spool."""
    for channel, places in enumerate(level.places):
        content = _encoded(tile[..., 0] == channel + 1) if kind == "classes" else _encoded(tile[..., channel])
        places.append((spool.tell(), len(content)))
        spool.write(content)


def _whole_tile(part: UInt8[np.ndarray, "rows columns channels"]) -> UInt8[np.ndarray, "512 512 channels"]:
    """A tile at the lower or right border filled up with 0, which no viewer shows."""
    return np.pad(part, ((0, TILE_PX - part.shape[0]), (0, TILE_PX - part.shape[1]), (0, 0)))


def _encoded(tile: np.ndarray) -> bytes:
    if not tile.any():
        return _blank()
    values = tile.astype(np.uint8) * np.uint8(255) if tile.dtype == bool else np.ascontiguousarray(tile)
    return imagecodecs.deflate_encode(values, level=DEFLATE_LEVEL, raw=False)


@cache
def _blank() -> bytes:
    return imagecodecs.deflate_encode(np.zeros((TILE_PX, TILE_PX), np.uint8), level=DEFLATE_LEVEL, raw=False)


def _halved(band: UInt8[np.ndarray, "rows width c"], kind: Kind) -> UInt8[np.ndarray, "half_rows half_width c"]:
    """Half the rows and columns, rounded up: the last row or column of an odd number counts twice."""
    odd = [(0, side % 2) for side in band.shape[:2]]
    even = np.pad(band, (*odd, (0, 0)), mode="edge") if any(band.shape[at] % 2 for at in (0, 1)) else band
    if kind == "classes":
        return majority(even[0::2, 0::2], even[0::2, 1::2], even[1::2, 0::2], even[1::2, 1::2])
    rows = even[0::2].astype(np.uint16) + even[1::2]
    return ((rows[:, 0::2] + rows[:, 1::2] + 2) >> 2).astype(np.uint8)


def majority(
    first: UInt8[np.ndarray, "*shape"],
    second: UInt8[np.ndarray, "*shape"],
    third: UInt8[np.ndarray, "*shape"],
    fourth: UInt8[np.ndarray, "*shape"],
) -> UInt8[np.ndarray, "*shape"]:
    """The value that most of four arrays have at a place; of equals the one that comes first.

    >>> majority(*(np.array([value], np.uint8) for value in (1, 2, 2, 1)))
    array([1], dtype=uint8)
    """
    # A value that comes twice cannot be outvoted, since only two others are left.
    rest = np.where((second == third) | (second == fourth), second, np.where(third == fourth, third, first))
    return np.where((first == second) | (first == third) | (first == fourth), first, rest)


def _write(path: Path, levels: Sequence[_Level], description: bytes, mpp: float, spool: IO[bytes]) -> None:
    """Put the tiles in the order of the file: all of the first channel, then those of the next one."""
    options = {"dtype": np.uint8, "photometric": "minisblack", "tile": (TILE_PX, TILE_PX), "resolutionunit": 3}
    options |= {"compression": "adobe_deflate", "metadata": None, "software": False}
    with tifffile.TiffWriter(path, bigtiff=True, ome=False) as file:
        for number, level in enumerate(levels):
            kind = {"subfiletype": 1} if number else {"subifds": len(levels) - 1, "description": description}
            per_cm = 1e4 / mpp / 2**number
            shape = (len(level.places), level.height, level.width)
            file.write(_tiles(level, spool), shape=shape, resolution=(per_cm, per_cm), **options, **kind)


def _tiles(level: _Level, spool: IO[bytes]) -> Iterator[bytes]:
    for places in level.places:
        for offset, length in places:
            yield os.pread(spool.fileno(), length, offset)


def _description(level: _Level, names: Sequence[str], colours: Colours, mpp: float) -> bytes:
    """OME-XML of one image, in ASCII: TIFF knows no other letters, XML writes them as numbers."""
    root = ElementTree.Element("OME", {"xmlns": NAMESPACE, "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance"})
    root.set("xsi:schemaLocation", f"{NAMESPACE} {NAMESPACE}/ome.xsd")
    sizes = {"SizeX": level.width, "SizeY": level.height, "SizeC": len(names), "SizeZ": 1, "SizeT": 1}
    pixels = ElementTree.SubElement(
        ElementTree.SubElement(root, "Image", {"ID": "Image:0"}),
        "Pixels",
        {"ID": "Pixels:0", "DimensionOrder": "XYCZT", "Type": "uint8"}
        # Their unit is left at the schema's default, µm.
        | {"PhysicalSizeX": f"{mpp:.9g}", "PhysicalSizeY": f"{mpp:.9g}"}
        | {name: str(size) for name, size in sizes.items()},
    )
    for number, (name, colour) in enumerate(zip(names, colours, strict=True)):
        ElementTree.SubElement(
            pixels,
            "Channel",
            {"ID": f"Channel:0:{number}", "Name": name, "SamplesPerPixel": "1", "Color": str(signed_rgba(colour))},
        )
    for number in range(len(names)):
        ElementTree.SubElement(pixels, "TiffData", {"IFD": str(number), "FirstC": str(number), "PlaneCount": "1"})
    return ElementTree.tostring(root, encoding="us-ascii", xml_declaration=True)


def signed_rgba(colour: Colour) -> int:
    """The colour of a channel as OME-XML has it: opaque RGBA, a signed number of 32 bits.

    >>> signed_rgba((255, 255, 255)), signed_rgba((0, 0, 1))
    (-1, 511)
    """
    red, green, blue = (int(value) for value in colour)
    return int.from_bytes(bytes([red, green, blue, 255]), "big", signed=True)
