"""Damaged, lying, oversized and foreign image files: each is refused with its message, and none ends the interpreter.

Rows B1, B3 and B9 of the project's matrix of faults, message by message.
"""

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from histoloom.errors import InputError
from histoloom.formats.images import read_colours, read_image, read_instances, read_mask

READERS = (read_image, read_mask, read_instances, read_colours)
RNG = np.random.default_rng(0)
TISSUE = RNG.integers(0, 256, (40, 50, 3), np.uint8)
MASK = RNG.integers(0, 6, (40, 50), np.uint8)
DAMAGED = "cannot be read as an image"
CURE = "expected a whole PNG, JPEG or TIFF; copy, download or export it again"
KINDS = "expected 8-bit RGB, a palette, or 1-, 8-, 16- or 32-bit integer grey; export it again as one of these"
UPRIGHT = (
    "(turned or mirrored when shown); expected 1, stored as shown, so that image and mask lie alike; save it upright, "
    "without orientation, in the way its mask was drawn"
)
ONE_PAGE = "expected one image; save each page as a file of its own"
SMALLER = (
    "pixels; expected at most 268,435,456 in one image; cut it into tiles, or raise limits.image_pixels in the config "
    "(of a script by itself: HISTOLOOM_LIMITS=image_pixels=...)"
)
COLOURED = "export it in colour (is this a mask?)"
GREY = {"photometric": "minisblack"}
LOSSY = "and JPEG invents values along borders; expected a lossless mask; export it again as PNG"


def encoded(pixels: np.ndarray, form: str, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def tiff(pixels: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **({"photometric": "rgb"} | options))
    return file.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, bits: int, colour: int, *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def png_of(width: int, height: int, bits: int, colour: int, rows: bytes) -> bytes:
    return png(width, height, bits, colour, chunk(b"IDAT", zlib.compress(rows, 1)))


def changed(payload: bytes, at: int, new: bytes) -> bytes:
    return payload[:at] + new + payload[at + len(new) :]


def flipped(payload: bytes, at: int) -> bytes:
    return changed(payload, at, bytes([payload[at] ^ 1]))


def turned(form: str) -> bytes:
    exif = Image.Exif()
    exif[274] = 6
    return encoded(TISSUE, form, exif=exif)


def cmyk_jpeg() -> bytes:
    file = io.BytesIO()
    Image.fromarray(TISSUE).convert("CMYK").save(file, "JPEG")
    return file.getvalue()


def in_scan(jpeg: bytes, new: bytes) -> bytes:
    return changed(jpeg, jpeg.index(b"\xff\xda") + 200, new)


PNG = encoded(TISSUE, "PNG")
JPEG = encoded(TISSUE, "JPEG", quality=95)
TIFF = tiff(TISSUE)
DEFLATED = tiff(TISSUE, compression="zlib")
PAGES = encoded(TISSUE, "TIFF", save_all=True, append_images=[Image.fromarray(TISSUE)] * 2)

# Row B1 of the matrix of faults: damaged and foreign files.
B1 = {
    "half.png": (PNG[: len(PNG) // 2], f"{DAMAGED} (it breaks off: truncated); {CURE}"),
    "half.jpg": (JPEG[: len(JPEG) // 2], f"{DAMAGED} (it breaks off: truncated); {CURE}"),
    "half.tif": (TIFF[: len(TIFF) // 2], f"{DAMAGED} (it breaks off: truncated); {CURE}"),
    "last_byte.png": (PNG[:-1], f"{DAMAGED} (it breaks off: truncated); {CURE}"),
    "last_byte.jpg": (JPEG[:-1], f"{DAMAGED} (it breaks off: truncated); {CURE}"),
    "last_byte.tif": (TIFF[:-1], f"{DAMAGED} (it breaks off: truncated); {CURE}"),
    "header.png": (PNG[:20], f"{DAMAGED} (it breaks off: truncated); {CURE}"),
    "pixel.png": (flipped(PNG, 3000), f"{DAMAGED} (wrong checksum at byte 33: damaged); {CURE}"),
    "header_flip.png": (flipped(PNG, 19), f"{DAMAGED} (wrong checksum at byte 8: damaged); {CURE}"),
    "pixel.tif": (flipped(DEFLATED, 2000), f"{DAMAGED} ({{}}); {CURE}"),
    "end_inside.jpg": (in_scan(JPEG, b"\xff\xd9"), f"{DAMAGED} ({{}} bytes after its end: damaged); {CURE}"),
    "marker_inside.jpg": (in_scan(JPEG, b"\xff\xc4\0\x08"), f"{DAMAGED} (no marker at byte {{}}: damaged); {CURE}"),
    "restart_inside.jpg": (
        in_scan(JPEG, b"\xff\xd0"),
        f"{DAMAGED} (restart markers out of order: damaged); {CURE}",
    ),
    "header.jpg": (changed(JPEG, 3, b"\1"), f"{DAMAGED} (no marker at byte 2: damaged); {CURE}"),
    "empty.png": (b"", f"{DAMAGED} (the file is empty); {CURE}"),
    "page.png": (b"\n<!DOCTYPE html><html>not found</html>", f"{DAMAGED} (it is a web page); {CURE}"),
    "login.tif": (b"<HTML><body>log in</body></HTML>", f"{DAMAGED} (it is a web page); {CURE}"),
    "gif.png": (encoded(MASK, "GIF"), f"{DAMAGED} (it is a GIF file); {CURE}"),
    "bmp.jpg": (encoded(TISSUE, "BMP"), f"{DAMAGED} (it is a BMP file); {CURE}"),
    "text.tif": (b"name,group\n", f"{DAMAGED} (it starts with b'name,gro'); {CURE}"),
}

# Row B3: sound files of another kind than the reader's.
B3 = {
    "grey.png": (encoded(MASK, "PNG"), read_image, f"8-bit grey; expected an 8-bit RGB image; {COLOURED}"),
    "la.png": (
        encoded(np.dstack([MASK, MASK]), "PNG"),
        read_image,
        f"8-bit grey with an alpha channel; expected an 8-bit RGB image; {COLOURED}",
    ),
    "bits.png": (encoded(MASK > 2, "PNG"), read_image, f"1-bit grey; expected an 8-bit RGB image; {COLOURED}"),
    "grey16.png": (
        encoded(MASK.astype(np.uint16), "PNG"),
        read_image,
        f"16-bit grey; expected an 8-bit RGB image; {COLOURED}",
    ),
    "clear.png": (
        encoded(np.zeros((3, 4, 4), np.uint8), "PNG"),
        read_image,
        "transparent everywhere; expected an image; remove its alpha channel",
    ),
    "rgb16.png": (png_of(2, 1, 16, 2, bytes(13)), read_image, f"16-bit RGB; {KINDS}"),
    "rgb16.tif": (tiff(TISSUE.astype(np.uint16)), read_image, f"16-bit RGB; {KINDS}"),
    "grey4.png": (png_of(2, 1, 4, 0, bytes(2)), read_mask, f"4-bit grey; {KINDS}"),
    "float.tif": (tiff(MASK.astype(np.float32), **GREY), read_mask, f"32-bit float grey; {KINDS}"),
    "float_rgb.tif": (tiff(TISSUE.astype(np.float32)), read_image, f"32-bit float RGB; {KINDS}"),
    "wide.tif": (tiff(MASK.astype(np.uint64), **GREY), read_instances, f"64-bit grey; {KINDS}"),
    "inverted.tif": (tiff(MASK, photometric="miniswhite"), read_mask, f"8-bit inverted grey; {KINDS}"),
    "cmyk.jpg": (cmyk_jpeg(), read_image, f"8-bit CMYK; {KINDS}"),
    "cmyk.tif": (tiff(np.dstack([TISSUE, MASK]), photometric="separated"), read_image, f"8-bit CMYK; {KINDS}"),
    "ycbcr.tif": (tiff(TISSUE, photometric="ycbcr"), read_image, f"8-bit YCbCr; {KINDS}"),
    "five.tif": (
        tiff(np.dstack([TISSUE, MASK, MASK])),
        read_image,
        "RGB of 5 channels; expected grey, palette, RGB or RGBA; export it again",
    ),
    "webp.tif": (
        tiff(TISSUE, compression="webp"),
        read_image,
        "TIFF compression 50001; expected deflate, JPEG, LZMA, LZW, none, packbits, zstd; "
        "save it again as one of these",
    ),
    "turned.jpg": (turned("JPEG"), read_image, f"EXIF orientation 6 {UPRIGHT}"),
    "turned.png": (turned("PNG"), read_mask, f"EXIF orientation 6 {UPRIGHT}"),
    "turned.tif": (tiff(TISSUE, extratags=[(274, 3, 1, 6, True)]), read_image, f"EXIF orientation 6 {UPRIGHT}"),
    "pages.tif": (PAGES, read_image, f"holds 3 pages; {ONE_PAGE}"),
    "stack.tif": (
        tiff(np.stack([MASK] * 4), imagej=True, **GREY),
        read_mask,
        f"holds 4 pages; {ONE_PAGE}",
    ),
    "frames.png": (
        encoded(TISSUE, "PNG", save_all=True, append_images=[Image.fromarray(TISSUE[::-1].copy())]),
        read_image,
        f"holds 2 pages; {ONE_PAGE}",
    ),
    "colours.png": (
        PNG,
        read_mask,
        "8-bit RGB with coloured pixels; expected class indices (height, width); export class indices, not colours, "
        "or give the reader a colour map",
    ),
    "wide_mask.png": (
        encoded(np.array([[0, 300]], np.uint16), "PNG"),
        read_mask,
        "values 0 to 300; expected class indices 0 to 255; export class indices again",
    ),
    "negative.tif": (
        tiff(np.array([[-1, 3]], np.int32), **GREY),
        read_instances,
        "values -1 to 3; expected nucleus ids 0 to 2147483647; export nucleus ids again",
    ),
    "colour_ids.png": (
        PNG,
        read_instances,
        "8-bit RGB; expected nucleus ids in one 8-, 16- or 32-bit channel; export one grey value per nucleus",
    ),
    "binary_ids.png": (
        encoded(MASK > 2, "PNG"),
        read_instances,
        "1-bit grey; expected nucleus ids in one 8-, 16- or 32-bit channel; export one grey value per nucleus",
    ),
    "ringing.jpg": (
        encoded(np.tile(np.uint8([[0, 0, 7, 7]]), (8, 2)), "JPEG"),
        read_mask,
        f"JPEG with {{}} values, {LOSSY}",
    ),
    "clear_mask.png": (
        encoded(np.dstack([TISSUE, MASK]), "PNG"),
        read_colours,
        "has transparent pixels, whose value is not certain; expected none; export it again without an alpha channel",
    ),
    "short_palette.png": (
        png(1, 1, 8, 3, chunk(b"PLTE", bytes(6)), chunk(b"IDAT", zlib.compress(b"\0\x07"))),
        read_colours,
        "palette index 7; expected below 2, the number of its colours; export it again",
    ),
}


def lying_tiff() -> bytes:
    payload = bytearray(tiff(TISSUE, compression="zlib"))
    with tifffile.TiffFile(io.BytesIO(payload)) as file:
        for number in (256, 257):  # width and height
            struct.pack_into("<H", payload, file.pages[0].tags[number].valueoffset, 60000)
    return bytes(payload)


@cache
def bomb() -> bytes:
    return png_of(17000, 16000, 1, 0, bytes(2126 * 16000))


# Row B9: more pixels than one image may have, in truth or in the header alone.
B9 = {
    "lying.png": (png(60000, 60000, 8, 2), f"60,000 x 60,000 {SMALLER}"),
    "bomb.png": (bomb, f"17,000 x 16,000 {SMALLER}"),
    "lying.jpg": (
        changed(JPEG, JPEG.index(b"\xff\xc0") + 5, struct.pack(">HH", 60000, 50000)),
        f"50,000 x 60,000 {SMALLER}",
    ),
    "lying.tif": (lying_tiff(), f"60,000 x 60,000 {SMALLER}"),
    "zero.png": (png(0, 5, 8, 2), f"{DAMAGED} (0 x 5 pixels: damaged); {CURE}"),
}


def check(tmp_path: Path, name: str, payload: bytes | Callable, read: Callable, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(payload() if callable(payload) else payload)
    with pytest.raises(InputError) as error:
        read(path)
    text = str(error.value)
    start, _, end = f"{path}: {message}".partition("{}")  # {} stands for what the library's version decides
    assert text.startswith(start)
    assert text.endswith(end)
    assert bool(text[len(start) : len(text) - len(end)]) == ("{}" in message)
    assert text.count("\n") < 4


@pytest.mark.parametrize("name", B1)
def test_b1_damaged_and_foreign_files_are_refused_by_every_reader(tmp_path, name):
    payload, message = B1[name]
    for read in READERS:
        check(tmp_path, name, payload, read, message)


@pytest.mark.parametrize("name", B3)
def test_b3_other_kinds_are_refused_with_what_was_found(tmp_path, name):
    check(tmp_path, name, *B3[name])


@pytest.mark.parametrize("name", B9)
def test_b9_too_many_pixels_are_refused_with_the_limit(tmp_path, name):
    payload, message = B9[name]
    for read in READERS:
        check(tmp_path, name, payload, read, message)


def test_oversized_files_are_refused_in_a_process_without_memory_for_them(tmp_path):
    for name, (payload, _) in B9.items():
        (tmp_path / name).write_bytes(payload() if callable(payload) else payload)
    done = run_process(tmp_path, "limits")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [*["refused"] * 5]


def test_mutated_files_give_an_array_or_an_input_error_and_never_end_the_interpreter(tmp_path):
    seeds = {"rgb.png": PNG, "rgb.jpg": JPEG, "rgb.tif": TIFF} | {
        "mask.png": encoded(MASK, "PNG"),
        "bits.png": encoded(MASK > 2, "PNG"),
        "rgba.png": encoded(np.dstack([TISSUE, MASK]), "PNG"),
        "ids.png": encoded(MASK.astype(np.uint16), "PNG"),
        "palette.png": png(1, 1, 8, 3, chunk(b"PLTE", bytes(6)), chunk(b"IDAT", zlib.compress(b"\0\1"))),
        "turned.png": turned("PNG"),
        "turned.jpg": turned("JPEG"),
        "progressive.jpg": encoded(TISSUE, "JPEG", progressive=True),
        "restarts.jpg": encoded(TISSUE, "JPEG", restart_marker_blocks=2),
        "grey.jpg": encoded(MASK, "JPEG"),
        "cmyk.jpg": cmyk_jpeg(),
        "pages.tif": PAGES,
        "planar.tif": tiff(np.moveaxis(TISSUE, 2, 0), planarconfig="separate"),
        "ids.tif": tiff(MASK.astype(np.int32), **GREY),
        "bits.tif": encoded(MASK > 2, "TIFF"),
        "palette.tif": tiff(MASK, photometric="palette", colormap=np.zeros((3, 256), np.uint16)),
        "stack.tif": tiff(np.stack([MASK] * 4), imagej=True, **GREY),
    }
    for compression in ("zlib", "lzw", "packbits", "lzma", "zstd", "jpeg"):
        seeds[f"{compression}_tiles.tif"] = tiff(TISSUE, compression=compression, tile=(16, 16))
        seeds[f"{compression}_strips.tif"] = tiff(TISSUE, compression=compression, rowsperstrip=16)
    for name, payload in seeds.items():
        (tmp_path / name).write_bytes(payload)
    done = run_process(tmp_path, "mutations", 25)
    assert done.returncode == 0, f"{done.returncode}\n{done.stderr[-2000:]}"
    assert "Traceback" not in done.stderr
    read, refused = map(int, done.stdout.split())
    assert read + refused == 25 * len(seeds) >= 750
    assert min(read, refused) > 100  # else the mutations are too tame or too wild


def run_process(folder: Path, *arguments: object) -> subprocess.CompletedProcess:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.faults.mutated_images", str(folder), *map(str, arguments)]
    return subprocess.run(
        command, cwd=root, env={"PYTHONPATH": f"{root / 'scripts'}"}, capture_output=True, text=True, timeout=300
    )
