"""Decoding of PNG, JPEG and TIFF files into stored values, whole or not at all; images.py says what they mean to us.

OpenCV, libvips and torchvision give part of a damaged file without a word, or crash [1]. So size, structure and kind
are checked here before Pillow (PNG, JPEG) or tifffile (TIFF) decodes.

[1] pytorch/vision issues 3613, 4485, 6456. TIFF: Adobe TIFF 6.0; 8-bit colour maps are read as libtiff reads them.
"""

import io
import logging
import math
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import tifffile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from histoloom.errors import InputError
from histoloom.formats.integrity import check_jpeg, png_chunks
from histoloom.limits import limit, raising

BITS = {"grey": (1, 8, 16, 32), "palette": (1, 2, 4, 8), "RGB": (8,)}  # of each channel, by kind
PNG_KINDS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey", 6: "RGB"}  # by colour type
JPEG_KINDS = {"L": "grey", "RGB": "RGB"}  # by Pillow's mode
TIFF_KINDS = {0: "inverted grey", 1: "grey", 2: "RGB", 3: "palette", 5: "CMYK", 6: "YCbCr", 8: "Lab", 9: "Lab"}
TIFF_NUMBERS = {2: "signed ", 3: "float ", 5: "complex ", 6: "complex "}  # by SampleFormat; 1 is unsigned
TIFF_ALPHA = {0: "unknown", 1: "premultiplied", 2: "straight"}  # by ExtraSamples
LOSSLESS = {1: "none", 5: "LZW", 8: "deflate", 32946: "deflate", 32773: "packbits", 34925: "LZMA", 50000: "zstd"}
JPEG_IN_TIFF = 7
BYTES_A_PIXEL = 8  # of a file, at most
ORIENTATION = 274  # the number of this tag in EXIF and TIFF
FOREIGN = {b"GIF8": "GIF", b"BM": "BMP", b"\0\0\0\x0cjP": "JPEG 2000", b"RIFF": "WebP", b"%PDF": "PDF"}
# Else up to 4096 lines on standard error, one for each damaged tag, bury the one message that we raise.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Raster:
    """What a file holds: stored values (height, width) or (height, width, channels), and how they are meant.

    `kind` is "grey", "palette" or "RGB". The last channel is opacity where `alpha` is "straight", "premultiplied" or
    "unknown" (the file does not say what it is). `palette` has a row of RGB or RGBA for each index.
    """

    pixels: np.ndarray
    kind: str
    alpha: str = ""
    palette: np.ndarray | None = None
    is_lossy: bool = False

    def __str__(self) -> str:
        bits = 1 if self.pixels.dtype == bool else 8 * self.pixels.itemsize
        return f"{bits}-bit {self.kind}{' with an alpha channel' if self.alpha else ''}"


class _Refused(Exception):  # noqa: N818 - never leaves this module
    """A sound file of a kind that we do not read: the message has all but the file's name."""


def read_raster(path: Path) -> Raster:
    """Decode a PNG, JPEG or TIFF, known by its first bytes whatever its name.

    Raises InputError for a missing, damaged, turned (EXIF) or too large file, several pages, and kinds not in BITS.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such image; expected a PNG, JPEG or TIFF file; check the dataset's folder")
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow only warns of some damage
            warnings.simplefilter("ignore", DeprecationWarning)
            return _decoder(file)(file)
    except _Refused as refusal:
        raise InputError(f"{path}: {refusal}") from refusal
    except Exception as error:  # the back ends raise some fifteen kinds for damaged files
        reason = str(error).splitlines()[0][:120] if str(error).strip() else type(error).__name__
        raise InputError(
            f"{path}: cannot be read as an image ({reason}); expected a whole PNG, JPEG or TIFF; "
            "copy, download or export it again"
        ) from error


def _decoder(file: BinaryIO) -> Callable[[BinaryIO], Raster]:
    head = file.read(64)
    file.seek(0)
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return _read_png
    if head.startswith(b"\xff\xd8\xff"):
        return _read_jpeg
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return _read_tiff
    if not head:
        raise ValueError("the file is empty")
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise ValueError("it is a web page")
    name = next((name for start, name in FOREIGN.items() if head.startswith(start)), None)
    raise ValueError(f"it is a {name} file" if name else f"it starts with {head[:8]!r}")


def _read_png(file: BinaryIO) -> Raster:
    data = _whole(file)
    chunks = dict(png_chunks(data))
    width, height, bits, colour = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    _check_size(height, width)
    kind = PNG_KINDS.get(colour, f"colour type {colour}")
    _check_kind(kind, bits)
    image = PngImageFile(io.BytesIO(data))
    _check_pages(getattr(image, "n_frames", 1))
    image.load()
    _check_orientation(image.getexif().get(ORIENTATION))  # after the pixels: in PNG it may stand behind them
    has_key = kind == "RGB" and "transparency" in image.info
    pixels = np.asarray(image.convert("RGBA") if has_key else image)
    palette = _png_palette(chunks) if kind == "palette" else None
    return Raster(pixels, kind, "straight" if has_key or colour in (4, 6) else "", palette)


def _png_palette(chunks: dict[bytes, memoryview]) -> np.ndarray:
    colours = np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)
    if b"tRNS" not in chunks:
        return colours
    opacity = np.full((len(colours), 1), 255, np.uint8)
    known = np.frombuffer(chunks[b"tRNS"], np.uint8)[: len(colours)]
    opacity[: len(known), 0] = known
    return np.hstack([colours, opacity])


def _read_jpeg(file: BinaryIO) -> Raster:
    data = _whole(file)
    check_jpeg(data)
    image = JpegImageFile(io.BytesIO(data))
    _check_size(image.height, image.width)
    kind = JPEG_KINDS.get(image.mode, image.mode)
    _check_kind(kind, 8)
    _check_orientation(image.getexif().get(ORIENTATION))
    return Raster(np.asarray(image), kind, is_lossy=True)


def _read_tiff(file: BinaryIO) -> Raster:
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages[0]
        # Smaller copies of the first page make it a pyramid; ImageJ keeps a stack under one page.
        others = sum(not other.is_reduced for other in tiff.pages[1:])
        stack = (tiff.imagej_metadata or {}).get("images", 1) if tiff.is_imagej else 1
        _check_pages(max(1 + others, stack, page.imagedepth) if not page.is_reduced else len(tiff.pages))
        _check_size(page.imagelength, page.imagewidth)
        _check_size(page.tilelength or 1, page.tilewidth or 1)
        kind, alpha = _tiff_kind(page)
        _check_strips(page, file)
        tag = page.tags.get(ORIENTATION)
        _check_orientation(tag and tag.value)
        pixels = page.asarray()
    # Planar files keep one colour after the other.
    pixels = np.moveaxis(pixels, 0, 2) if pixels.ndim == 3 and page.planarconfig == 2 else pixels
    if pixels.shape[:2] != (page.imagelength, page.imagewidth):
        raise ValueError(f"pixels of shape {pixels.shape}: damaged")
    if kind != "palette":
        return Raster(pixels, kind, alpha, is_lossy=page.compression == JPEG_IN_TIFF)
    return Raster(pixels.astype(np.uint8), kind, alpha, _tiff_palette(page))  # indices of one bit came as booleans


def _tiff_kind(page: tifffile.TiffPage) -> tuple[str, str]:
    if page.compression not in (*LOSSLESS, JPEG_IN_TIFF):
        known = ", ".join(sorted({*LOSSLESS.values(), "JPEG"}, key=str.lower))
        raise _Refused(f"TIFF compression {int(page.compression)}; expected {known}; save it again as one of these")
    kind = TIFF_KINDS.get(page.photometric, f"photometric {int(page.photometric)}")
    if kind == "YCbCr" and page.compression == JPEG_IN_TIFF:
        kind = "RGB"  # the decoder turns it into RGB
    number = TIFF_NUMBERS.get(page.sampleformat, "")
    _check_kind(kind, page.bitspersample, "" if (kind, number) == ("grey", "signed ") else number)
    extra = page.samplesperpixel - (3 if kind == "RGB" else 1)
    if extra not in (0, 1):
        raise _Refused(
            f"{kind} of {page.samplesperpixel} channels; expected grey, palette, RGB or RGBA; export it again"
        )
    return kind, TIFF_ALPHA.get(next(iter(page.extrasamples), 0), "unknown") if extra else ""


def _check_strips(page: tifffile.TiffPage, file: BinaryIO) -> None:
    size = file.seek(0, io.SEEK_END)
    count = math.prod(page.chunked)
    parts = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    stored = sum(length for _, length in parts)
    is_short = page.compression == 1 and page.bitspersample != 1 and stored < page.nbytes
    if len(parts) < count or any(not (start and length) for start, length in parts) or is_short:
        raise ValueError("strips or tiles of it are missing: damaged")
    if max(start + length for start, length in parts) > size:
        raise ValueError("it breaks off: truncated")
    room = (page.tilelength, page.tilewidth) if page.is_tiled else (page.imagelength, page.imagewidth)
    for start, length in parts if page.compression == JPEG_IN_TIFF else ():
        file.seek(start)
        check_jpeg(file.read(length), room)


def _tiff_palette(page: tifffile.TiffPage) -> np.ndarray:
    colours = page.colormap.T  # 16 bits for each of red, green and blue
    return (colours >> 8 if colours.max() > 255 else colours).astype(np.uint8)


def _whole(file: BinaryIO) -> bytes:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    most = BYTES_A_PIXEL * limit("image_pixels")
    if size > most:
        raise _Refused(f"a file of {size:,} bytes; expected at most {most:,} in one image; {_smaller()}")
    return file.read()


def _check_size(height: int, width: int) -> None:
    if height < 1 or width < 1:
        raise ValueError(f"{width} x {height} pixels: damaged")
    if height * width > (most := limit("image_pixels")):
        raise _Refused(f"{width:,} x {height:,} pixels; expected at most {most:,} in one image; {_smaller()}")


def _smaller() -> str:
    return f"cut it into tiles, or {raising('image_pixels')}"


def _check_pages(count: int) -> None:
    if count > 1:
        raise _Refused(f"holds {count} pages; expected one image; save each page as a file of its own")


def _check_orientation(value: object) -> None:
    if value in range(2, 9):
        raise _Refused(
            f"EXIF orientation {value} (turned or mirrored when shown); expected 1, stored as shown, so that image and "
            "mask lie alike; save it upright, without orientation, in the way its mask was drawn"
        )


def _check_kind(kind: str, bits: object, number: str = "") -> None:
    if bits not in BITS.get(kind, ()) or number:
        raise _Refused(
            f"{bits}-bit {number}{kind}; expected 8-bit RGB, a palette, or 1-, 8-, 16- or 32-bit integer grey; "
            "export it again as one of these"
        )
