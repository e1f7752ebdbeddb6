"""Damage in PNG and JPEG files that decoders pass over in silence.

Pillow checks no checksum of a PNG's pixels, and libjpeg, when a JPEG's scan breaks off, makes up the rest.

Sources: W3C PNG Specification, third edition, 5.3 (chunks); ITU-T T.81, annex B (markers); ITU-T T.800, annex A (SIZ).
"""

import re
import struct
import zlib
from collections.abc import Iterator

SCAN_END = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)  # a marker that is neither stuffing nor a restart
FRAMES = {*range(0xFFC0, 0xFFD0)} - {0xFFC4, 0xFFC8, 0xFFCC}  # markers of a frame, which state its size
SIZ = b"\xff\x4f\xff\x51"  # how a JPEG 2000 codestream begins
RESTART = re.compile(rb"\xff([\xd0-\xd7])", re.DOTALL)


def png_chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Name and content of each chunk of a PNG up to its last, IEND.

    Raises ValueError where a checksum is wrong or the file ends too early.
    """
    view = memoryview(data)
    start = 8
    while start + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, start)
        end = start + 12 + length
        if end > len(data):
            break
        if zlib.crc32(view[start + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
            raise ValueError(f"wrong checksum at byte {start}: damaged")
        yield name, view[start + 8 : end - 4]
        if name == b"IEND":
            return
        start = end
    raise ValueError("it breaks off: truncated")


def check_jpeg(data: bytes, most: tuple[int, int] | None = None) -> None:
    """Walk from marker to marker of a JPEG to its end, after which only padding or another JPEG (a preview) may come.

    `most` is the height and width that the file around it leaves room for: decoders take the memory that a JPEG asks.
    Raises ValueError for a larger one, bytes without a marker, restarts out of order, an end too early, and more data
    after it.
    """
    start, has_restarts = 2, False
    while data[start : start + 2] != b"\xff\xd9":
        if start + 4 > len(data):
            raise ValueError("it breaks off: truncated")
        marker, length = struct.unpack_from(">HH", data, start)
        if marker == 0xFFFF:  # padding before a marker
            start += 1
            continue
        if not 0xFFC0 <= marker <= 0xFFFE or 0xFFD0 <= marker <= 0xFFD8 or length < 2:
            raise ValueError(f"no marker at byte {start}: damaged")
        has_restarts |= marker == 0xFFDD
        if most and marker in FRAMES and start + 9 <= len(data):
            _check_room(*struct.unpack_from(">HH", data, start + 5), most)
        start += 2 + length
        start = _end_of_scan(data, start, has_restarts) if marker == 0xFFDA else start
    rest = data[start + 2 :]
    if rest.strip(b"\0\r\n") and not rest.startswith(b"\xff\xd8\xff"):
        raise ValueError(f"{len(rest)} bytes after its end: damaged")


def check_jpeg2000(data: bytes, most: tuple[int, int]) -> None:
    """Raise ValueError for what is no JPEG 2000 codestream, and for one of more height or width than `most`."""
    if not data.startswith(SIZ) or len(data) < 24:
        raise ValueError("no JPEG 2000 codestream: damaged")
    right, bottom, left, top = struct.unpack_from(">IIII", data, 8)
    _check_room(bottom - top, right - left, most)


def _check_room(height: int, width: int, most: tuple[int, int]) -> None:
    if height > most[0] or width > most[1]:
        raise ValueError(f"says {width} x {height} pixels where {most[1]} x {most[0]} belong: damaged")


def _end_of_scan(data: bytes, start: int, has_restarts: bool) -> int:
    end = SCAN_END.search(data, start)
    if end is None:
        raise ValueError("it breaks off: truncated")
    restarts = RESTART.findall(data, start, end.start())
    if (restarts and not has_restarts) or any(sign[0] != 0xD0 + index % 8 for index, sign in enumerate(restarts)):
        raise ValueError("restart markers out of order: damaged")
    return end.start()
