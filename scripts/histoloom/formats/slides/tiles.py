"""The tiles of a TIFF slide decoded side by side in threads: three to five times as fast as OpenSlide's regions.

Only for files of which OpenSlide shows each tile as it is stored (Aperio, and TIFF of no scanner), and only for what
both decode to the same bytes; for all others there is OpenSlide.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
import tifffile
from jaxtyping import UInt8

from histoloom.formats.integrity import check_jpeg, check_jpeg2000

VENDORS = ("aperio", "generic-tiff")  # in OpenSlide's words
JPEG = 7
JPEG_2000 = 33005  # in RGB; 33003, in YCbCr, is OpenSlide's
LOSSLESS = (1, 5, 8, 32946, JPEG_2000)  # none, LZW, deflate twice
END_OF_JPEG = b"\xff\xd9"
RGB = 2  # TIFF's PhotometricInterpretation
MOST_THREADS = 8  # a core decodes some 180 Mpx/s of JPEG: more than this no network takes


class BadTile(Exception):  # noqa: N818 - sources.py makes an InputError of it
    """A tile that cannot be decoded: its number from the left, and why."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number


class TiffTiles:
    """The levels of a tiled TIFF that can be decoded here; `strips` has the height of a row of tiles by level."""

    def __init__(self, path: Path, sizes: Sequence[tuple[int, int]]) -> None:
        self._tiff = tifffile.TiffFile(path)
        self._file: BinaryIO = path.open("rb")
        self._pool = ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1), "tiles")
        self._pages = {level: page for level, size in enumerate(sizes) if (page := self._page(size)) is not None}
        self.strips = {level: int(page.tilelength) for level, page in self._pages.items()}

    def read(self, level: int, row: int, into: UInt8[np.ndarray, "rows width 3"]) -> None:
        """Decode the row of tiles number `row` into `into`, as much of it as there is.

        Raises BadTile.
        """
        page = self._pages[level]
        across = -(-page.imagewidth // page.tilewidth)
        numbers = range(row * across, (row + 1) * across)
        stored = [self._stored(page, number) for number in numbers]  # in order, as disks like it
        parts = [into[:, left : left + page.tilewidth] for left in range(0, page.imagewidth, page.tilewidth)]
        jobs = [self._pool.submit(_decode, page, *work) for work in zip(numbers, stored, parts, strict=True)]
        for column, job in enumerate(jobs):
            try:
                job.result()
            except Exception as error:  # imagecodecs and tifffile have some ten kinds, one for each codec
                raise BadTile(column, str(error) or type(error).__name__) from error

    def width(self, level: int) -> int:
        """The width of a tile of a level."""
        return int(self._pages[level].tilewidth)

    def close(self) -> None:
        """End the threads and close the file."""
        self._pool.shutdown(cancel_futures=True)
        self._file.close()
        self._tiff.close()

    def __del__(self) -> None:
        # A slide that is kept for its next region and then forgotten, as readers do, leaves no open file.
        with suppress(AttributeError):  # where opening it failed
            self.close()

    def _page(self, size: tuple[int, int]) -> tifffile.TiffPage | None:
        pages = (page for page in self._tiff.pages if page.is_tiled and (page.imagewidth, page.imagelength) == size)
        return next((page for page in pages if _is_ours(page)), None)

    def _stored(self, page: tifffile.TiffPage, number: int) -> bytes:
        self._file.seek(page.dataoffsets[number])
        return self._file.read(page.databytecounts[number])


def _is_ours(page: tifffile.TiffPage) -> bool:
    is_plain = page.dtype == np.uint8 and page.samplesperpixel == 3 and page.planarconfig == 1 and page.imagedepth == 1
    is_known = page.compression == JPEG or (page.compression in LOSSLESS and page.photometric == RGB)
    # Tiles of no bytes were never scanned; OpenSlide knows what each scanner means by them.
    return is_plain and is_known and all(page.databytecounts)


def _decode(page: tifffile.TiffPage, number: int, data: bytes, into: UInt8[np.ndarray, "rows columns 3"]) -> None:
    room = (page.tilelength, page.tilewidth)
    if page.compression == JPEG:
        # libjpeg makes up the rest of a scan that breaks off. What stands after a tile's end is of no concern.
        check_jpeg(data[: data.rfind(END_OF_JPEG) + 2], room)
    if page.compression == JPEG_2000:
        check_jpeg2000(data, room)
    tile = page.decode(data, number, jpegtables=page.jpegtables)[0][0]
    into[:] = tile[: into.shape[0], : into.shape[1]]
