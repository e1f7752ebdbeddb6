"""Rows B1, B3 and B9 for images: damaged files, files of another kind, and files that would fill the memory."""

import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from histoloom.formats.images import read_image
from tests.bad_input.case import Case
from tests.bad_input.made_files import CLASSES, encoded, flipped, mask, pair, png, put, save, tiff, tissue

READ = ("prepare_dataset.py", "--reader", "folder", "--root", "raw", "--on-bad-image", "stop")
SKIP = (*READ[:-1], "skip")
OPTIONS = ("--option", CLASSES)
PREPARED = ("out",)
PNG, JPEG = encoded(tissue(1), "PNG"), encoded(tissue(1), "JPEG", quality=95)


def beside_a_sound_one(name: str, content: bytes | Callable[[], bytes]) -> None:
    """Of two images one is sound, and the other one is this file."""
    pair("a")
    put(f"raw/images/{name}", content() if callable(content) else content)
    save("raw/masks/b.png", mask())


def image_case(
    row: str, name: str, file: str, content: bytes | Callable[[], bytes], words: tuple[str, ...] = READ, **more: object
) -> Case:
    return Case(row, name, partial(beside_a_sound_one, file, content), (*words, *OPTIONS), **more)


def two_bad_ones() -> None:
    beside_a_sound_one("b.png", PNG[:300])
    put("raw/images/c.png", b"")
    save("raw/masks/c.png", mask())


def nothing_but_bad() -> None:
    put("raw/images/a.png", PNG[:300])
    save("raw/masks/a.png", mask())


def skipped() -> str:
    return "out/skipped.csv:\n" + Path("out/skipped.csv").read_text(encoding="utf-8").rstrip()


def scored_against_half_a_file() -> None:
    save("truth/a.png", (mask() > 0).astype(np.uint8))
    put("found/a.png", encoded((mask() > 0).astype(np.uint8), "PNG")[:-20])


SCORE = ("score.py", "--truth", "truth", "--prediction", "model=found", "--classes", "background", "nucleus")

DAMAGED = [
    image_case("B1", "half a PNG", "b.png", PNG[: len(PNG) // 2], as_process=True),
    image_case("B1", "a PNG with one bit changed", "b.png", flipped(PNG, 1000)),
    image_case("B1", "an empty file", "b.tif", b""),
    image_case("B1", "a web page named as a PNG", "b.png", b"<!DOCTYPE html><html>please log in</html>"),
    image_case("B1", "half a JPEG", "b.jpg", JPEG[: len(JPEG) // 2]),
    image_case("B1", "a TIFF without its last byte", "b.tif", tiff(tissue(1))[:-1]),
    image_case("B1", "a GIF named as a PNG", "b.png", encoded(mask(), "GIF")),
    image_case("B1", "a table named as a TIFF", "b.tif", b"name,group\na,1\n"),
    image_case(
        "B1",
        "a JPEG named as a PNG is read as what it is",
        "b.png",
        JPEG,
        status=0,
        writes=PREPARED,
        shows=lambda: pixel_of("b", 0, 0),
    ),
    Case("B1", "two bad images are left out and counted", two_bad_ones, (*SKIP, *OPTIONS), 0, PREPARED, skipped),
    Case("B1", "nothing but bad images, to be left out", nothing_but_bad, (*SKIP, *OPTIONS)),
    Case("B1", "no folder at all", lambda: None, (*READ, *OPTIONS)),
    Case("B1", "half a prediction to be scored", scored_against_half_a_file, SCORE, as_process=True),
]


def pixel_of(name: str, row: int, column: int) -> str:
    """A pixel of a prepared image, for the document."""
    values = read_image(Path(f"out/images/{name}.png"))[row, column]
    return f"out/images/{name}.png, row {row}, column {column}: {' '.join(map(str, values.tolist()))}"


def with_alpha() -> bytes:
    """The first pixel is transparent, all others are not."""
    alpha = np.full((*mask().shape, 1), 255, np.uint8)
    alpha[0, 0] = 0
    return encoded(np.concatenate([tissue(1), alpha], axis=2), "PNG")


def palette() -> bytes:
    """All pixels have colour 1 of the palette, which is 200, 100, 150."""
    picture = Image.fromarray(np.ones(mask().shape, np.uint8), "P")
    picture.putpalette([0, 0, 0, 200, 100, 150])
    picture.save("palette.png")
    return Path("palette.png").read_bytes()


def turned() -> bytes:
    exif = Image.Exif()
    exif[274] = 6
    return encoded(tissue(1), "JPEG", exif=exif)


def planar() -> bytes:
    """The first pixel is 1, 2, 3; channels are stored one after the other."""
    pixels = tissue(1)
    pixels[0, 0] = 1, 2, 3
    return tiff(np.moveaxis(pixels, 2, 0), planarconfig="separate")


def cmyk() -> bytes:
    picture = Image.fromarray(tissue(1)).convert("CMYK")
    picture.save("cmyk.jpg", "JPEG")
    return Path("cmyk.jpg").read_bytes()


def pages() -> bytes:
    return encoded(tissue(1), "TIFF", save_all=True, append_images=[Image.fromarray(tissue(2))])


def read_as(name: str, file: str, content: bytes | Callable[[], bytes]) -> Case:
    return image_case("B3", name, file, content, status=0, writes=PREPARED, shows=lambda: pixel_of("b", 0, 0))


OTHER_KINDS = [
    read_as("transparent pixels are laid on white", "b.png", with_alpha),
    read_as("colours of a palette are looked up", "b.png", palette),
    read_as("channels that are stored one after the other", "b.tif", planar),
    image_case("B3", "CMYK", "b.jpg", cmyk),
    image_case("B3", "16 bits a channel", "b.tif", tiff(tissue(1).astype(np.uint16) * 257)),
    image_case("B3", "floating point", "b.tif", tiff(tissue(1).astype(np.float32) / 255)),
    image_case("B3", "several pages", "b.tif", pages),
    image_case("B3", "turned by its EXIF header", "b.jpg", turned),
    image_case("B3", "grey where colours are expected", "b.png", encoded(mask(), "PNG")),
]


def lying_tiff() -> bytes:
    put("lying.tif", tiff(tissue(1), compression="zlib"))
    with tifffile.TiffFile("lying.tif", mode="r+b") as file:
        for tag in ("ImageWidth", "ImageLength"):
            file.pages[0].tags[tag].overwrite(60_000)
    return Path("lying.tif").read_bytes()


def bomb() -> bytes:
    """A PNG of 33 KB that unpacks to 272 million pixels."""
    return png(17_000, 16_000, 1, 0, bytes(2126 * 16_000))


def lying_jpeg() -> bytes:
    place = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:place] + struct.pack(">HH", 60_000, 50_000) + JPEG[place + 4 :]


OVERSIZED = [
    image_case("B9", "a PNG of 33 KB that unpacks to 272 million pixels", "b.png", bomb),
    image_case("B9", "a PNG whose header lies", "b.png", png(60_000, 60_000, 8, 2)),
    image_case("B9", "a TIFF whose header lies", "b.tif", lying_tiff),
    image_case("B9", "a JPEG whose header lies", "b.jpg", lying_jpeg),
]
CASES = [*DAMAGED, *OTHER_KINDS, *OVERSIZED]
